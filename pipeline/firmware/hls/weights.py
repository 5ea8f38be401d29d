"""The weights in a written HLS project against those that it was written from.

AMD's projects hold every weight twice: C++ simulation reads ``w2.txt`` at its start, HLS
compiles the list in ``w2.h``. Equality under simulation says nothing about the second, so
both are read back. Intel's have headers only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.base.arrays import F64
from pipeline.base.errors import PipelineError

# The list of an array: its length in brackets if it has one, its values in one or two braces.
_LIST = re.compile(r"(?:\[(\d+)\])?\s*=\s*\{+([^{}]*)\}")
_PART = re.compile(r"(?P<tensor>.+)_(?P<part>[ifco])")
_PARTS = "ifco"

WeightFiles = Mapping[str, Mapping[str, str]]


class HlsWeightsError(PipelineError):
    """A project whose weights are not those of the network."""


def check_weights(
    directory: Path, layers: list[dict[str, Any]], files: WeightFiles, intel: bool
) -> None:
    """Compare every weight file of a project with the layers it was written from.

    Parameters
    ----------
    directory
        Where the weight files are.
    layers
        hls4ml's layers with the weights in ``<tensor>_data``, float64, exact.
    files
        Names of the weight files without suffix, by layer and tensor.
    intel
        Whether the project is Intel's: no text files, and matrices transposed.

    Raises
    ------
    HlsWeightsError
        Naming the file and the first entry that differs, with what was expected and
        found; or a tensor without a file.
    """
    for layer in layers:
        of_layer = files.get(layer["name"], {})
        tensors = [key.removesuffix("_data") for key in layer if key.endswith("_data")]
        for tensor in tensors:
            if tensor not in of_layer:
                raise HlsWeightsError(f"{layer['name']}: no file for the tensor {tensor}")
        for tensor, name in of_layer.items():
            expected = _expected(layer, tensor, intel)
            header = directory / f"{name}.h"
            _compare(header, _header(header), expected)
            if not intel:
                text = directory / f"{name}.txt"
                _compare(text, _numbers(text, _read(text)), expected)


def _expected(layer: dict[str, Any], tensor: str, intel: bool) -> F64:
    """Values in the order of the file.

    An LSTM's second bias is hls4ml's own and 0. Intel's LSTM also has each gate's columns
    in files of their own.
    """
    part = _PART.fullmatch(tensor)
    whole = part["tensor"] if part else tensor
    if f"{whole}_data" in layer:
        values = np.asarray(layer[f"{whole}_data"], dtype=np.float64)
    else:
        values = np.zeros_like(layer["bias_data"])
    if part:
        values = np.split(values, len(_PARTS), axis=-1)[_PARTS.index(part["part"])]
    return (values.T if intel else values).ravel()


def _header(path: Path) -> F64:
    found = _LIST.findall(_read(path))
    if len(found) != 1:
        raise HlsWeightsError(f"{path.name}: expected one list of values, found {len(found)}")
    ((length, body),) = found
    values = _numbers(path, body)
    if length and int(length) != len(values):
        raise HlsWeightsError(f"{path.name}: an array of {length} has {len(values)} values")
    return values


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise HlsWeightsError(f"{path.name}: {error.strerror}") from None


def _numbers(path: Path, text: str) -> F64:
    try:
        return np.array([float(word) for word in text.split(",")], dtype=np.float64)
    except ValueError as error:
        raise HlsWeightsError(f"{path.name}: {error}") from None


def _compare(path: Path, found: F64, expected: F64) -> None:
    """Values must be equal as written: what a type would cut off may not be there."""
    if found.size != expected.size:
        raise HlsWeightsError(f"{path.name}: expected {expected.size} values, found {found.size}")
    differing = np.flatnonzero(found != expected)
    if differing.size:
        first = int(differing[0])
        raise HlsWeightsError(
            f"{path.name}: {differing.size} of {expected.size} weights are not those of the "
            f"network; first entry {first}: expected {float(expected[first])!r}, found "
            f"{float(found[first])!r}"
        )
