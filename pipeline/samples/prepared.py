"""``data/prepared.h5``: three splits of one sequence, mapped into memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.base.arrays import F32, Real, root_mean_square
from pipeline.base.errors import PipelineError
from pipeline.base.files import ArtifactError, replacing
from pipeline.base.units import MEV_PER_GEV
from pipeline.base.weights import open_hdf5
from pipeline.samples.windows import Number, count_windows, targets, windows

PREPARED = Path("data/prepared.h5")
SPLITS = ("train", "validation", "test")
SEQUENCES = ("dig_et_gev", "hit_et_gev", "ofmax_et_gev", "sig_et_gev")


class GeometryError(PipelineError):
    """A network of another window length or scale than the data."""


class WindowedNetwork(Protocol):
    """A network, as far as windows are concerned."""

    @property
    def window_length(self) -> int:
        """Samples in one window."""

    @property
    def et_scale_gev(self) -> float:
        """What E_T was divided by."""


@dataclass(frozen=True)
class Split:
    """One of train, validation and test: sequences of one value per BC, float32, GeV.

    Window ``i`` holds samples ``i .. i + window_length - 1``; its target is
    ``hit_et_gev[i + window_length - target_lag]``. Scaled means E_T / ``et_scale_gev``,
    divided in float32.
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
        return count_windows(self.n_bc, self.window_length)

    def windows(self, samples: NDArray[Number]) -> NDArray[Number]:
        """View a sequence of this split, (n_bc,), as windows, (n_windows, window_length)."""
        return windows(samples, self.window_length)

    def targets(self, sequence: NDArray[Number]) -> NDArray[Number]:
        """View a sequence of this split, (n_bc,), at the BC of each target, (n_windows,)."""
        return targets(sequence, self.window_length, self.target_lag)

    def scaled_samples(self) -> F32:
        """Scale the samples: float32 (n_bc,)."""
        return self._scaled(self.dig_et_gev)

    def scaled_truth(self) -> F32:
        """Scale the true E_T: float32 (n_bc,)."""
        return self._scaled(self.hit_et_gev)

    def _scaled(self, sequence_gev: F32) -> F32:
        scaled: F32 = (sequence_gev / np.float32(self.et_scale_gev)).astype(np.float32)
        return scaled

    def rmse_mev(self, reconstructed_gev: Real) -> float:
        """RMSE of reconstructed E_T against the targets, MeV.

        Parameters
        ----------
        reconstructed_gev
            ``(n_windows,)``, float32 or float64; differences are taken in float64.

        Raises
        ------
        PipelineError
            If there is not one value for each window.
        """
        truth_gev = self.targets(self.hit_et_gev)
        if reconstructed_gev.shape != truth_gev.shape:
            raise PipelineError(
                f"{self.name} split: expected {len(truth_gev)} reconstructed E_T, "
                f"found shape {reconstructed_gev.shape}"
            )
        errors = np.asarray(reconstructed_gev, np.float64) - truth_gev
        return root_mean_square(errors) * MEV_PER_GEV

    def ofmax_rmse_mev(self) -> float:
        """RMSE of optimal filter and maximum finder, MeV."""
        return self.rmse_mev(self.targets(self.ofmax_et_gev))

    def for_network(self, network: WindowedNetwork) -> Self:
        """Return this split for a network that takes its windows.

        Raises
        ------
        GeometryError
            If the network has another window length or scale.
        """
        for name in ("window_length", "et_scale_gev"):
            expected, found = getattr(network, name), getattr(self, name)
            if expected != found:
                raise GeometryError(
                    f"{name}: the network has {expected}, the prepared data {found}"
                )
        return self


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
