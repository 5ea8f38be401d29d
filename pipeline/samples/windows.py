"""Windows as views of a sequence, and the split of a sequence in train and test.

Window ``i`` holds samples ``i .. i + L - 1``; its target is the true E_T of BC
``i + L - target_lag``. A sequence of ``n_bc`` samples has ``n_bc - L`` windows: the
target of the last one still exists for ``target_lag = 0``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.base.errors import PipelineError

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
    n_windows = _checked_count(samples, window_length)
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
    n_windows = _checked_count(truth, window_length)
    if not 0 <= target_lag <= window_length:
        raise PipelineError(f"target_lag: expected 0 to {window_length}, found {target_lag}")
    first = window_length - target_lag
    return truth[first : first + n_windows]


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
    n_windows = count_windows(n_bc, window_length)
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


def count_windows(n_bc: int, window_length: int) -> int:
    """Windows in a sequence of `n_bc` samples; not above 0 where it is too short for one."""
    return n_bc - window_length


def _checked_count(sequence: NDArray[Number], window_length: int) -> int:
    if sequence.ndim != 1 or window_length < 1 or sequence.shape[0] <= window_length:
        raise PipelineError(
            f"expected a sequence of more than {window_length} BCs, found shape {sequence.shape}"
        )
    return count_windows(sequence.shape[0], window_length)
