"""Trials of a finished search: their quantizers, their weights, and their Keras models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.artifacts.search import SEARCH, SearchResult, Trial
from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32
from pipeline.base.schema import read
from pipeline.base.weights import load_weights
from pipeline.params import load_params
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer
from pipeline.samples.prepared import PREPARED, read_prepared

if TYPE_CHECKING:
    import tensorflow as tf

SEARCH_WEIGHTS = Path("models/search.weights.h5")


def trial_quantizers(trial: Trial) -> dict[str, Quantizer]:
    """Return the quantizers of a trial by tensor.

    Raises
    ------
    QuantizerError
        For a string that is no quantizer; file and tensor are named.
    """
    return {
        tensor: parse_quantizer(text, f"{SEARCH}: {tensor}")
        for tensor, text in trial.quantizers.items()
    }


def trial_weights(search: SearchResult, architecture: Architecture) -> dict[str, dict[str, F32]]:
    """Read ``models/search.weights.h5``: the weights of every trial, by name and tensor.

    Raises
    ------
    ArtifactError
        If the file does not hold the weights of exactly the networks of `search`.
    """
    shapes = {
        name: architecture.with_units(trial.units).weight_shapes
        for name, trial in search.networks.items()
    }
    weights = load_weights(
        SEARCH_WEIGHTS,
        {f"{name}/{tensor}": shape for name in shapes for tensor, shape in shapes[name].items()},
    )
    return {
        name: {tensor: weights[f"{name}/{tensor}"] for tensor in shapes[name]} for name in shapes
    }


def load_trial(name: str | int = "best") -> tf.keras.Model:
    """Return the QKeras model of a trial with its weights, as it stood at the end of the trial.

    Reads params.yaml, data/prepared.h5 (its window length), models/search.json and
    models/search.weights.h5 in the working directory.

    Parameters
    ----------
    name
        ``best``, or the name of a trial or uniform network in models/search.json.

    Returns
    -------
    tf.keras.Model
        float32 (batch, L, 1) -> (batch, 1), both E_T / ``prepare.et_scale_gev``; not compiled.

    Raises
    ------
    PipelineError
        If there is no such trial, or a file is missing or does not fit the parameters.
    """
    params, search = load_params(), read(SearchResult, SEARCH)
    trial = search.network(name, "load_trial")
    length = read_prepared(PREPARED).train.window_length
    architecture = Architecture(params.train.cell, params.train.units, length)
    quantizers = trial_quantizers(trial)
    weights = trial_weights(search, architecture)[trial.trial]

    # TensorFlow takes seconds to load: only once the files are known good.
    from pipeline.networks.float_network import set_weights
    from pipeline.quantization.training.network import build_quantized_network

    model = build_quantized_network(architecture.with_units(trial.units), quantizers)
    set_weights(model, weights)
    return model
