"""Sequence files: one value per BC, four sequences, HDF5 (the ROOT form: `root_file`).

========================  ===================================================
`sequence_dig_eT`         digitised samples, pedestal subtracted
`sequence_hit_eT`         true E_T deposited in the BC: injected and pile-up
`sequence_OFMax_eT`       optimal filter and maximum finder
`sequence_sig_eT`         injected part of the truth
========================  ===================================================

All are in GeV, or in the unit that the file names (`energy_unit`). Files from elsewhere are
untrusted: only data that lie in the file itself are read (`own_dataset`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from pipeline.base.arrays import F32
from pipeline.base.errors import one_line
from pipeline.base.files import ArtifactError, replacing
from pipeline.base.weights import HDF5_DAMAGE, open_hdf5
from pipeline.detector.sequences.attributes import read_texts
from pipeline.detector.sequences.energy_unit import ATTRIBUTES, gev_per_unit
from pipeline.detector.sequences.own_dataset import own_dataset
from pipeline.detector.sequences.root_file import read_root

KEYS = ("sequence_dig_eT", "sequence_hit_eT", "sequence_OFMax_eT", "sequence_sig_eT")
"""HDF5 keys in the order of the fields of `Sequences`."""

_HDF5 = b"\x89HDF\r\n\x1a\n"

READ_BC = 1 << 20
"""BCs read and checked at once."""


class Sequences(NamedTuple):
    """Consecutive BCs, ``(n,)`` each, float32, GeV."""

    dig_et_gev: F32
    hit_et_gev: F32
    ofmax_et_gev: F32
    sig_et_gev: F32


class SequenceReader(NamedTuple):
    """A validated sequence file.

    Attributes
    ----------
    n_bc : int
        Length of each sequence.
    read : callable
        ``read(start, stop)`` gives the `Sequences` of these BCs.
    """

    n_bc: int
    read: Callable[[int, int], Sequences]

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[Sequences]:
        """Yield BCs ``start .. stop - 1`` in pieces of at most `READ_BC`."""
        end = self.n_bc if stop is None else stop
        for first in range(start, end, READ_BC):
            yield self.read(first, min(first + READ_BC, end))


def write_sequences(path: Path, n_bc: int, chunks: Iterable[Sequences]) -> None:
    """Write a sequence file chunk by chunk.

    Parameters
    ----------
    path
        Target; the old file stays until the new one is complete.
    n_bc
        Length of the whole sequence. Known beforehand, it lets the datasets be
        contiguous, so that the bytes do not depend on the chunks.
    chunks
        Consecutive pieces.

    Raises
    ------
    ArtifactError
        If the pieces do not add up to `n_bc`.
    """
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        datasets = [file.create_dataset(key, (n_bc,), np.float32) for key in KEYS]
        for dataset in datasets:
            dataset.attrs["unit"] = "GeV"
        written = 0
        for chunk in chunks:
            stop = written + chunk.dig_et_gev.size
            if stop > n_bc:
                raise ArtifactError(f"{path}: expected {n_bc} BCs, found more")
            for dataset, values in zip(datasets, chunk, strict=True):
                dataset[written:stop] = values
            written = stop
        if written != n_bc:
            raise ArtifactError(f"{path}: expected {n_bc} BCs, found {written}")


@contextmanager
def open_sequences(path: Path) -> Iterator[SequenceReader]:
    """Open and validate a sequence file; ``.root``, or what begins like one, is the ROOT form.

    An HDF5 file is read piece by piece; a ROOT file is held in memory.

    Raises
    ------
    ArtifactError
        If the file is missing or truncated, a sequence is missing, is not stored in
        the file itself, is not one-dimensional, of another length than the others,
        not numeric or not finite. The message names file, sequence and BC.
    """
    if _is_root(path):
        columns = read_root(path)
        factors = [column.gev_per_unit for column in columns]
        reader = _reader(path, [column.values for column in columns], factors)
        _check_finite(path, reader)
        yield reader
        return
    with open_hdf5(path) as file:
        try:
            datasets = {key: own_dataset(path, file, key) for key in KEYS}
            said = read_texts(path, datasets, ATTRIBUTES)
            factors = [gev_per_unit(path, key, said[key]) for key in KEYS]
            reader = _reader(path, datasets.values(), factors)
        except HDF5_DAMAGE as error:
            raise ArtifactError(f"{path}: damaged HDF5 file: {one_line(error)}") from error
        _check_finite(path, reader)
        yield reader


def _is_root(path: Path) -> bool:
    """Tell by the first bytes, else by the name, which form a file is meant to have."""
    start = b""
    if path.is_file():
        with suppress(OSError), path.open("rb") as file:
            start = file.read(len(_HDF5))
    if start.startswith(_HDF5):
        return False
    return start.startswith(b"root") or path.suffix.lower() == ".root"


def _reader(path: Path, arrays: Iterable[Any], factors: Sequence[float]) -> SequenceReader:
    """Check rank, type and length of four arrays or datasets in the order of `KEYS`.

    `factors` make their values GeV.
    """
    sources = dict(zip(KEYS, arrays, strict=True))
    for key, source in sources.items():
        if source.shape is None or len(source.shape) != 1:
            raise ArtifactError(f"{path}: {key}: expected one dimension, found {source.shape}")
        if source.dtype.kind not in "fiu":
            raise ArtifactError(f"{path}: {key}: expected numbers, found type {source.dtype}")
    lengths = {key: int(source.shape[0]) for key, source in sources.items()}
    if len(set(lengths.values())) != 1:
        raise ArtifactError(f"{path}: expected sequences of one length, found {lengths}")

    def read(start: int, stop: int) -> Sequences:
        try:
            pieces = [source[start:stop] for source in sources.values()]
        except HDF5_DAMAGE as error:
            raise ArtifactError(
                f"{path}: BCs {start} to {stop}: unreadable: {one_line(error)}"
            ) from error
        with np.errstate(over="ignore"):  # too large for float32: reported as not finite
            return Sequences(*map(_in_gev, pieces, factors))

    return SequenceReader(lengths[KEYS[0]], read)


def _in_gev(values: Any, factor: float) -> F32:
    """Convert once, in float64; GeV stay as they are."""
    if factor != 1.0:
        values = np.asarray(values, np.float64) * factor
    return np.asarray(values, dtype=np.float32)


def _check_finite(path: Path, reader: SequenceReader) -> None:
    first = 0
    for chunk in reader.chunks():
        for key, values in zip(KEYS, chunk, strict=True):
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                raise ArtifactError(
                    f"{path}: {key}: expected finite numbers, found {values[bad[0]]}"
                    f" in BC {first + int(bad[0])}"
                )
        first += chunk.dig_et_gev.size
