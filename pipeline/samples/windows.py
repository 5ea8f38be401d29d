"""Windows as views of a sequence, and the split of a sequence in train and test.

Window ``i`` holds samples ``i .. i + L - 1``; its target is the true E_T of BC
``i + L - target_lag``. A sequence of ``n_bc`` samples has ``n_bc - L`` windows: the
target of the last one still exists for ``target_lag = 0``. And how far reconstructed E_T are
from the targets of a split.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.base.arrays import F32, Real
from pipeline.base.errors import PipelineError
from pipeline.base.units import MEV_PER_GEV
from pipeline.samples.prepared import Split

Number = TypeVar("Number", bound=np.generic)


class SplitBounds(NamedTuple):
    """Where a split lies: its first BC and its number of windows."""

    first_bc: int
    n_windows: int


class Bounds(NamedTuple):
    """`SplitBounds` of the three splits, in the order of time."""

    train: SplitBounds
    validation: SplitBounds
    test: SplitBounds

    def items(self) -> Iterable[tuple[str, SplitBounds]]:
        """Name and bounds of each split."""
        return self._asdict().items()

    def bc_ranges(self, window_length: int) -> dict[str, tuple[int, int]]:
        """First BC and the one after the last, by split; no BC is in two of them."""
        return {
            name: (split.first_bc, split.first_bc + split.n_windows + window_length)
            for name, split in self.items()
        }


def windows(samples: NDArray[Number], window_length: int) -> NDArray[Number]:
    """View a sequence as windows.

    Parameters
    ----------
    samples
        ``(n_bc,)``, any type and unit.
    window_length
        L, samples in one window.

    Returns
    -------
    ndarray, ``(n_bc - L, L)``
        A read-only view: no sample is copied.

    Raises
    ------
    PipelineError
        If the sequence has no window.
    """
    n_windows = _n_windows(samples, window_length)
    return sliding_window_view(samples, window_length)[:n_windows]


def targets(truth: NDArray[Number], window_length: int, target_lag: int) -> NDArray[Number]:
    """View the truth that belongs to each window.

    Parameters
    ----------
    truth
        True E_T, ``(n_bc,)``.
    window_length
        L, samples in one window.
    target_lag
        ``0 .. L``: how many BCs before the end of the window its target lies.

    Returns
    -------
    ndarray, ``(n_bc - L,)``
        A view.

    Raises
    ------
    PipelineError
        If the sequence has no window or the lag leaves the window.
    """
    n_windows = _n_windows(truth, window_length)
    if not 0 <= target_lag <= window_length:
        raise PipelineError(f"target_lag: expected 0 to {window_length}, found {target_lag}")
    first = window_length - target_lag
    return truth[first : first + n_windows]


def split_rmse_mev(reconstructed_gev: Real, split: Split) -> float:
    """RMSE of reconstructed E_T on a split, MeV.

    Parameters
    ----------
    reconstructed_gev
        ``(n_windows,)``, float32 or float64; differences are taken in float64.
    split
        Whose truth it is compared with.

    Raises
    ------
    PipelineError
        If there is not one value for each window.
    """
    truth_gev = targets(split.hit_et_gev, split.window_length, split.target_lag)
    if reconstructed_gev.shape != truth_gev.shape:
        raise PipelineError(
            f"{split.name} split: expected {len(truth_gev)} reconstructed E_T, "
            f"found shape {reconstructed_gev.shape}"
        )
    errors = np.asarray(reconstructed_gev, np.float64) - truth_gev
    return float(np.sqrt(np.mean(errors**2))) * MEV_PER_GEV


def split_bounds(
    n_bc: int, window_length: int, train_fraction: float, validation_fraction: float
) -> Bounds:
    """Cut a sequence in train, validation and test, in the order of time.

    The cuts lie at ``int(fraction * n_windows)``. Train and validation drop the last
    L windows before their cut, so no sample is in two splits.

    Parameters
    ----------
    n_bc
        Length of the sequence.
    window_length
        L, samples in one window.
    train_fraction, validation_fraction
        Fractions of the windows; the rest is for the test.

    Returns
    -------
    Bounds
        A split uses BCs ``first_bc .. first_bc + n_windows + L - 1``.

    Raises
    ------
    PipelineError
        If a split has no window.
    """
    n_windows = n_bc - window_length
    first_cut = int(train_fraction * n_windows)
    second_cut = int((train_fraction + validation_fraction) * n_windows)
    bounds = Bounds(
        train=SplitBounds(0, first_cut - window_length),
        validation=SplitBounds(first_cut, second_cut - first_cut - window_length),
        test=SplitBounds(second_cut, n_windows - second_cut),
    )
    for name, split in bounds.items():
        if split.n_windows < 1:
            raise PipelineError(
                f"{name} split: expected at least one window of {window_length} samples, "
                f"found none in a sequence of {n_bc} BCs"
            )
    return bounds


def _n_windows(sequence: NDArray[Number], window_length: int) -> int:
    if sequence.ndim != 1 or window_length < 1 or sequence.shape[0] <= window_length:
        raise PipelineError(
            f"expected a sequence of more than {window_length} BCs, found shape {sequence.shape}"
        )
    return sequence.shape[0] - window_length


def ofmax_rmse_mev(split: Split) -> float:
    """Return the RMSE of optimal filter and maximum finder on a split, MeV."""
    return split_rmse_mev(targets(split.ofmax_et_gev, split.window_length, split.target_lag), split)


def scaled_truth(split: Split) -> F32:
    """Return the true E_T of every window of a split, float32 (n_windows,), scaled."""
    truth = targets(split.hit_et_gev, split.window_length, split.target_lag)
    scaled: F32 = (truth / np.float32(split.et_scale_gev)).astype(np.float32)
    return scaled


class MadeForWindows(Protocol):
    """A network, as far as windows are concerned."""

    @property
    def window_length(self) -> int:
        """Samples in one window."""

    @property
    def et_scale_gev(self) -> float:
        """What E_T was divided by."""


class GeometryError(PipelineError):
    """A network that was made for other windows."""


def scaled_samples(network: MadeForWindows, split: Split) -> F32:
    """Scale the samples of a split: float32 (n_bc,), E_T / ``et_scale_gev``.

    The division is done in float32, as in training.

    Raises
    ------
    GeometryError
        If the network was made for another window length or scale.
    """
    for name in ("window_length", "et_scale_gev"):
        wanted, found = getattr(network, name), getattr(split, name)
        if wanted != found:
            raise GeometryError(f"{name}: the network has {wanted}, the prepared data {found}")
    scaled: F32 = (split.dig_et_gev / np.float32(split.et_scale_gev)).astype(np.float32)
    return scaled
