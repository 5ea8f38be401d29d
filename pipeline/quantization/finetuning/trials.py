"""Trials of a finished search, ready to be built: their quantizers and their weights."""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.search import SEARCH, SearchResult, Trial
from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32
from pipeline.base.weights import load_weights
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer

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
