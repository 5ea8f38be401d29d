"""How artifacts look on disk: JSON, weights and prepared sequences.

Nothing else in the project opens these files. Every write goes to a temporary
file beside the target, is flushed to disk and renamed, so a killed stage leaves
either the old file or the new one. No file carries a time, a host name or an
absolute path: the same content gives the same bytes.
"""

from __future__ import annotations

import glob
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import F32
from pipeline.errors import PipelineError

SPLITS = ("train", "validation", "test")
SEQUENCES = ("dig_et_gev", "hit_et_gev", "ofmax_et_gev", "sig_et_gev")


class ArtifactError(PipelineError):
    """An artifact is missing, broken or not what was expected."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it onto `path` when the block succeeds.

    The temporary name is this process' own: where two workers of a search write one file,
    on one machine or two, each replaces it with a whole one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    own = f"{path.name}.{platform.node()}"
    _sweep(path.parent, own)
    temporary = path.with_name(f"{own}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(folder: Path, own: str) -> None:
    """Delete what killed processes of this machine left half-written."""
    for file in folder.glob(f"{glob.escape(own)}.*.tmp"):
        number = file.name.removeprefix(f"{own}.").removesuffix(".tmp")
        if number.isdecimal() and not _alive(int(number)):
            file.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write `text` atomically, UTF-8, as given."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write sorted, indented JSON; a NaN or infinity is an error."""
    try:
        text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False)
    except ValueError as error:
        raise ArtifactError(f"{path}: not written: {error}") from error
    write_text(path, text + "\n")


def write_csv(path: Path, columns: Mapping[str, Sequence[float | int | str]]) -> None:
    """Write named columns of equal length as CSV."""
    import pandas as pd  # takes a second to load, and most stages write no table

    text = pd.DataFrame(dict(columns)).to_csv(index=False, lineterminator="\n")
    write_text(path, text)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a missing or broken file is an `ArtifactError`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ArtifactError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


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


@dataclass(frozen=True)
class Split:
    """One of train, validation and test: sequences of one value per BC, float32, GeV.

    Window ``i`` holds samples ``i .. i + window_length - 1``; its target is
    ``hit_et_gev[i + window_length - target_lag]``.
    """

    name: str
    dig_et_gev: F32
    hit_et_gev: F32
    ofmax_et_gev: F32
    sig_et_gev: F32
    window_length: int
    target_lag: int
    et_scale_gev: float

    @property
    def n_bc(self) -> int:
        """Bunch crossings in this split."""
        return int(self.dig_et_gev.shape[0])

    @property
    def n_windows(self) -> int:
        """Windows in this split."""
        return self.n_bc - self.window_length


@dataclass(frozen=True)
class Prepared:
    """What `prepare` writes: three splits of one geometry."""

    train: Split
    validation: Split
    test: Split


@dataclass(frozen=True)
class Geometry:
    """Windows and scale that all splits share; see `Split`."""

    window_length: int
    target_lag: int
    et_scale_gev: float


@dataclass(frozen=True)
class SplitStream:
    """A split to be written piece by piece: its length and its consecutive pieces.

    A piece holds the sequences in the order of `SEQUENCES`, ``(n,)`` each, GeV.
    """

    n_bc: int
    pieces: Iterable[Sequence[F32]]


def write_prepared(path: Path, prepared: Prepared) -> None:
    """Write ``data/prepared.h5`` from sequences in memory; see `stream_prepared`."""
    first = prepared.train
    geometry = Geometry(first.window_length, first.target_lag, first.et_scale_gev)
    splits = {name: getattr(prepared, name) for name in SPLITS}
    stream_prepared(
        path,
        geometry,
        {
            name: SplitStream(split.n_bc, [[getattr(split, field) for field in SEQUENCES]])
            for name, split in splits.items()
        },
    )


def stream_prepared(path: Path, geometry: Geometry, splits: Mapping[str, SplitStream]) -> None:
    """Write ``data/prepared.h5``: contiguous, uncompressed, so that it can be mapped.

    Memory holds one piece at a time; the bytes do not depend on how a split is cut.

    Raises
    ------
    ArtifactError
        If the pieces of a split do not add up to its length.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        file.attrs.update(asdict(geometry))
        for name in SPLITS:
            _write_split(path, file, name, splits[name])


def _write_split(path: Path, file: h5py.File, name: str, split: SplitStream) -> None:
    datasets = [
        file.create_dataset(f"{name}/{field}", (split.n_bc,), np.float32) for field in SEQUENCES
    ]
    for dataset in datasets:
        dataset.attrs["unit"] = "GeV"
    written = 0
    for piece in split.pieces:
        stop = written + len(piece[0])
        if stop > split.n_bc:
            raise ArtifactError(f"{path}: {name}: expected {split.n_bc} BCs, found more")
        for dataset, values in zip(datasets, piece, strict=True):
            dataset[written:stop] = values
        written = stop
    if written != split.n_bc:
        raise ArtifactError(f"{path}: {name}: expected {split.n_bc} BCs, found {written}")


def read_prepared(path: Path) -> Prepared:
    """Map ``data/prepared.h5``: arrays are read-only views of the file, not copies."""
    with open_hdf5(path) as file:
        try:
            splits = {name: _map_split(path, file, name) for name in SPLITS}
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"{path}: not a prepared file: {error}") from error
    return Prepared(**splits)


def _map_split(path: Path, file: h5py.File, name: str) -> Split:
    arrays = {}
    for sequence in SEQUENCES:
        dataset = file[name][sequence]
        offset = dataset.id.get_offset()
        if offset is None or dataset.dtype != np.float32:
            raise ArtifactError(f"{path}: {name}/{sequence}: expected contiguous float32")
        arrays[sequence] = np.memmap(path, np.float32, "r", offset=offset, shape=dataset.shape)
    return Split(
        name=name,
        window_length=int(file.attrs["window_length"]),
        target_lag=int(file.attrs["target_lag"]),
        et_scale_gev=float(file.attrs["et_scale_gev"]),
        **arrays,
    )
