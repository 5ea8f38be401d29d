"""Weights on disk: HDF5 files of named float32 tensors, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.base.arrays import F32
from pipeline.base.files import ArtifactError, replacing

FLOAT_WEIGHTS = Path("models/float.weights.h5")
# What h5py raises, by version and place, when the structures of a file make no sense.
HDF5_DAMAGE = (KeyError, OSError, RuntimeError, TypeError, ValueError)


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; failures become an `ArtifactError`."""
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file" if not path.exists() else f"{path}: no file")
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError, ValueError) as error:
        raise ArtifactError(f"{path}: not a readable HDF5 file (truncated?): {error}") from error
    with file:
        yield file


def refuse_data_elsewhere(path: Path, key: str, dataset: h5py.Dataset) -> None:
    """Refuse a dataset whose data may lie in another file.

    Raises
    ------
    ArtifactError
        Naming file and key.
    """
    if dataset.is_virtual:
        raise ArtifactError(f"{path}: {key}: expected data in this file, found a virtual dataset")
    if dataset.external:
        raise ArtifactError(f"{path}: {key}: expected data in this file, found external storage")


def save_weights(path: Path, weights: Mapping[str, NDArray[Any]]) -> None:
    """Write named float32 tensors, e.g. ``{"rnn/kernel": (1, 8) array}``; weights only."""
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        for name in sorted(weights):
            file.create_dataset(name, data=np.asarray(weights[name], dtype=np.float32))


def load_weights(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, F32]:
    """Read weights into a known structure.

    Parameters
    ----------
    path
        A file written by `save_weights`.
    shapes
        The name and shape of every tensor that must be there, and no other.

    Raises
    ------
    ArtifactError
        If a tensor is missing, superfluous, of another shape or type, or not finite.
    """
    with open_hdf5(path) as file:
        found: dict[str, Any] = {}
        file.visititems(
            lambda name, item: (
                found.update({name: item}) if isinstance(item, h5py.Dataset) else None
            )
        )
        if set(found) != set(shapes):
            raise ArtifactError(f"{path}: expected tensors {sorted(shapes)}, found {sorted(found)}")
        weights: dict[str, F32] = {}
        for name, shape in shapes.items():
            if found[name].shape != tuple(shape):
                raise ArtifactError(
                    f"{path}: {name}: expected shape {tuple(shape)}, found {found[name].shape}"
                )
            if found[name].dtype != np.float32:
                raise ArtifactError(f"{path}: {name}: expected float32, found {found[name].dtype}")
            value = found[name][...]
            if not np.all(np.isfinite(value)):
                raise ArtifactError(f"{path}: {name}: not finite")
            weights[name] = value
    return weights
