"""The weights of a float network of the user's own, checked against the network of params.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.base.architecture import GATES, Architecture
from pipeline.base.arrays import F32
from pipeline.base.errors import one_line
from pipeline.base.files import ArtifactError
from pipeline.base.weights import HDF5_DAMAGE
from pipeline.given_network.keras_file import KerasFile, Tensors, open_keras_file

# Options of a layer that change what it computes, and the value that they must have.
_OPTIONS: dict[str, dict[str, Any]] = {
    "SimpleRNN": {"activation": "relu"},
    "LSTM": {"activation": "tanh", "recurrent_activation": "sigmoid"},
    "GRU": {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True},
}
_EVERY_CELL: dict[str, Any] = {
    "use_bias": True,
    "return_sequences": False,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
    "time_major": False,
    "zero_output_for_mask": False,
}
_DENSE: dict[str, Any] = {"units": 1, "activation": "relu", "use_bias": True}
_DEFAULTS = {"GRU": {"reset_after": True}}  # where a key is missing: Keras' default
_FLOATS = (np.float16, np.float32, np.float64)


@dataclass(frozen=True)
class GivenNetwork:
    """Weights from a file, and what a reader should know of how they were read.

    Attributes
    ----------
    weights
        float32, by ``layer/tensor`` as in `Architecture.weight_shapes`.
    remarks
        One sentence each; none where there is nothing to say.
    """

    weights: dict[str, F32]
    remarks: list[str]


def read_given(path: Path, architecture: Architecture) -> GivenNetwork:
    """Read a float network from a file of Keras or of this pipeline.

    Parameters
    ----------
    path
        See `pipeline.given_network.keras_file` for what can be read. Layer names do not matter.
    architecture
        What ``train.cell``, ``train.units`` and ``prepare.window_length`` say.

    Raises
    ------
    ArtifactError
        If it cannot be read, is of another network, or holds numbers that float32 does not.
        Where the file holds weights alone, activations cannot be checked: a remark says so.
    """
    with open_keras_file(path) as content:
        if content.model is not None:
            for problem in _model_problems(content.model, architecture):
                raise ArtifactError(f"{path}: {problem}")
        recurrent, dense = _layers(path, content, architecture)
        remarks = []
        if content.model is None:
            activation = _OPTIONS[architecture.cell]["activation"]
            remarks.append(
                f"{path} holds weights alone: taken for a {architecture.cell} with {activation}, "
                "and a Dense layer with relu"
            )
        found = {f"rnn/{name}": value for name, value in recurrent.items()}
        found |= {f"dense/{name}": value for name, value in dense.items()}
        weights = _read(path, found, architecture)
        types = {str(dataset.dtype) for dataset in found.values()} - {"float32"}
        if types:
            remarks.append(f"{path}: {', '.join(sorted(types))} converted to float32")
    return GivenNetwork(weights, remarks)


def _model_problems(model: dict[str, Any], architecture: Architecture) -> Iterator[str]:
    """Compare Keras' JSON with the network of params.yaml; most telling problem first."""
    config = model.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        yield "the model's JSON: expected a list of layers"
        return
    kinds = [str(layer.get("class_name")) for layer in layers]
    wanted = [architecture.cell, "Dense"]
    shown = f"{', '.join(kinds) or 'none'}"
    if [kind for kind in kinds if kind != "InputLayer"] != wanted or kinds.count("InputLayer") > 1:
        yield f"expected the layers {' and '.join(wanted)} (train.cell), found {shown}"
        return
    recurrent, dense = (layers[kinds.index(kind)] for kind in wanted)
    yield from _option_problems(
        recurrent, _EVERY_CELL | _OPTIONS[architecture.cell], _DEFAULTS.get(architecture.cell, {})
    )
    units = _config(recurrent).get("units")
    if units != architecture.units:
        yield (
            f"{architecture.cell}: expected {architecture.units} units (train.units), "
            f"found {str(units)[:80]}"
        )
    yield from _option_problems(dense, _DENSE, {})
    yield from _shape_problems(layers, kinds, architecture)


def _shape_problems(
    layers: list[dict[str, Any]], kinds: list[str], architecture: Architecture
) -> Iterator[str]:
    """Look at every shape of the input that the JSON states; a length of null is any."""
    for layer, kind in zip(layers, kinds, strict=True):
        if kind == "Dense":
            continue
        config, built = _config(layer), layer.get("build_config")
        shapes = [config.get("batch_input_shape"), config.get("batch_shape")]
        shapes.append(built.get("input_shape") if isinstance(built, dict) else None)
        for shape in shapes:
            if shape is None:
                continue
            if not isinstance(shape, list) or len(shape) != 3 or shape[2] != 1:
                yield f"{kind}: expected an input of (batch, samples, 1), found {shape}"
            elif shape[1] not in (None, architecture.window_length):
                yield (
                    f"{kind}: expected windows of {architecture.window_length} samples "
                    f"(prepare.window_length), found {shape[1]}"
                )


def _option_problems(
    layer: dict[str, Any], wanted: dict[str, Any], defaults: dict[str, Any]
) -> Iterator[str]:
    config = _config(layer)
    for name, value in wanted.items():
        found = config.get(name, defaults.get(name, value))
        if isinstance(found, dict) and found.get("class_name") == "function":
            found = found.get("config")  # how Keras 3 may write an activation
        if found != value or type(found) is not type(value):
            yield f"{layer.get('class_name')}: {name}: expected {value}, found {str(found)[:80]}"


def _config(layer: dict[str, Any]) -> dict[str, Any]:
    config = layer.get("config")
    return config if isinstance(config, dict) else {}


def _layers(
    path: Path, content: KerasFile, architecture: Architecture
) -> tuple[dict[str, h5py.Dataset], dict[str, h5py.Dataset]]:
    """Return the tensors of the recurrent layer and of the Dense layer."""
    tensors: Tensors = content.tensors
    recurrent = [found for found in tensors.values() if "recurrent_kernel" in found]
    dense = [found for found in tensors.values() if "recurrent_kernel" not in found]
    exact = {"kernel", "recurrent_kernel", "bias"}
    if [set(found) for found in recurrent] == [exact] and [set(found) for found in dense] == [
        exact - {"recurrent_kernel"}
    ]:
        return recurrent[0], dense[0]
    shown = {layer: sorted(found) for layer, found in tensors.items()}
    raise ArtifactError(
        f"{path}: expected kernel, recurrent_kernel and bias of one recurrent layer "
        f"({architecture.cell}), and kernel and bias of one Dense layer; found "
        f"{str(shown)[:300] if shown else 'no tensors'}"
    )


def _read(path: Path, found: dict[str, h5py.Dataset], architecture: Architecture) -> dict[str, F32]:
    """Read what has the right shape and type: nothing large is ever read."""
    weights: dict[str, F32] = {}
    for name, shape in architecture.weight_shapes.items():
        dataset = found[name]
        if dataset.shape != shape:
            raise ArtifactError(
                f"{path}: {name}: expected shape {shape}, found {dataset.shape}"
                f"{_hint(name, dataset.shape, architecture)}"
            )
        if dataset.dtype.newbyteorder("=") not in _FLOATS:
            raise ArtifactError(
                f"{path}: {name}: expected float16, float32 or float64, found {dataset.dtype}"
            )
        try:
            raw = dataset[...]
        except HDF5_DAMAGE as error:
            raise ArtifactError(f"{path}: {name}: unreadable: {one_line(error)}") from error
        with np.errstate(over="ignore"):
            value: F32 = np.asarray(raw, np.float32)
        if not np.all(np.isfinite(value)):
            raise ArtifactError(f"{path}: {name}: expected finite numbers of float32")
        weights[name] = value
    return weights


def _hint(name: str, shape: Any, architecture: Architecture) -> str:
    """Say which parameter a shape contradicts, where that can be told."""
    wanted = architecture.weight_shapes[name]
    if architecture.cell == "GRU" and name == "rnn/bias" and shape == wanted[1:]:
        return " (a GRU with reset_after: false, which is another network)"
    if name != "rnn/kernel" or not isinstance(shape, tuple) or len(shape) != 2 or shape[0] != 1:
        return ""
    gates = GATES[architecture.cell]
    if shape[1] % gates == 0:
        return f" ({shape[1] // gates} units; train.units is {architecture.units}, or train.cell)"
    return f" (train.cell is {architecture.cell})"
