"""Residuals of a reconstruction and their figures of merit, by class of BC.

The residual is reconstructed minus true E_T. The figures follow the use of the
field:

* RMSE: root of the mean square residual, so it contains the bias;
* 68 % width: half the distance between the 16 % and 84 % quantiles of the
  residual; for a normal distribution 0.994 standard deviations;
* 98 % width: half the distance between the 1 % and 99 % quantiles; for a normal
  distribution 2.33 standard deviations, so it weighs the tails.

Quantiles interpolate linearly between order statistics. Everything is summed in
double precision: a float32 sum over a million BCs is off in the fourth digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base.arrays import F32, F64, I64, root_mean_square
from pipeline.base.units import MEV_PER_GEV

Mask = NDArray[np.bool_]
Figures = dict[str, float | int]

NO_GAP = -1
"""Gap of a BC before which the sequence holds no deposit."""

QUANTILES = (0.01, 0.16, 0.5, 0.84, 0.99)


@dataclass(frozen=True)
class EventClass:
    """A named set of BCs: `name` for files, `title` for people, boolean `mask` (n,)."""

    name: str
    title: str
    mask: Mask


@dataclass(frozen=True)
class Profile:
    """Residual in bins of another quantity; one entry per bin that is filled enough.

    `low` and `high` are the edges of the bin, ``[low, high)``, in the units of
    that quantity; `count` is the number of BCs in it; all else is MeV: RMSE and
    the quantiles 1, 16, 50, 84 and 99 % of the residual.
    """

    low: F64
    high: F64
    count: I64
    rmse: F64
    q01: F64
    q16: F64
    median: F64
    q84: F64
    q99: F64

    @property
    def centre(self) -> F64:
        """Middle of each bin."""
        return (self.low + self.high) / 2

    @property
    def width68(self) -> F64:
        """Half the central 68 % interval, MeV."""
        return (self.q84 - self.q16) / 2


def mev(et_gev: NDArray[Any]) -> F64:
    """E_T in MeV, float64, from GeV of any float type; same shape."""
    return np.asarray(et_gev, np.float64) * MEV_PER_GEV


def figures(true_mev: F64, reco_mev: F64, mask: Mask) -> Figures:
    """Figures of merit of one reconstruction in one class.

    Parameters
    ----------
    true_mev, reco_mev
        True and reconstructed E_T, float64 (n,), MeV.
    mask
        The BCs to use, bool (n,).

    Returns
    -------
    dict
        ``count``, ``rmse_mev``, ``bias_mev`` (mean residual), ``median_mev`` (of
        the residual), ``width68_mev``, ``width98_mev`` and ``mean_mev`` (mean
        reconstructed E_T). An empty class has a ``count`` of 0 and nothing else:
        a mean of nothing is not a number, and JSON has no NaN.
    """
    reco = reco_mev[mask]
    if reco.size == 0:
        return {"count": 0}
    residual = reco - true_mev[mask]
    q01, q16, median, q84, q99 = np.quantile(residual, QUANTILES)
    return {
        "count": int(residual.size),
        "rmse_mev": root_mean_square(residual),
        "bias_mev": float(np.mean(residual)),
        "median_mev": float(median),
        "width68_mev": float(q84 - q16) / 2,
        "width98_mev": float(q99 - q01) / 2,
        "mean_mev": float(np.mean(reco)),
    }


def energy_classes(true_gev: F32, low_et_mev: float, high_et_mev: float) -> list[EventClass]:
    """Classes by true E_T: all, zero, low, high and above `high_et_mev`.

    `high` contains the last class. Thresholds belong to the class above them and
    are compared as float32, the precision of the truth: 0.24 GeV stored as float32
    lies below 0.24 in double precision and would fall out of its class.

    Parameters
    ----------
    true_gev
        True E_T, float32 (n,), GeV.
    low_et_mev, high_et_mev
        Thresholds, MeV. The last class is named after the second one
        (``above_1gev``), so that a name never stands for two selections.
    """
    low, high = _threshold_gev(low_et_mev), _threshold_gev(high_et_mev)
    name = f"above_{high_et_mev / MEV_PER_GEV:g}gev".replace(".", "p")
    return [
        EventClass("all", "all", np.ones(true_gev.shape, np.bool_)),
        EventClass("zero", "0", true_gev == 0),
        EventClass("low", f"0-{low_et_mev:g} MeV", (true_gev > 0) & (true_gev < low)),
        EventClass("high", f"≥ {low_et_mev:g} MeV", true_gev >= low),
        EventClass(name, f"≥ {high_et_mev / MEV_PER_GEV:g} GeV", true_gev >= high),
    ]


def gap_bc(true_gev: F32, threshold_mev: float) -> I64:
    """BCs since the previous deposit of at least `threshold_mev`.

    Parameters
    ----------
    true_gev
        True E_T of consecutive BCs, float32 (n,), GeV.
    threshold_mev
        What counts as a deposit, MeV.

    Returns
    -------
    numpy.ndarray
        int64 (n,): 1 right after a deposit; `NO_GAP` up to and including the
        first deposit of the sequence, whose own gap is unknown.
    """
    bc = np.arange(true_gev.size, dtype=np.int64)
    last = np.maximum.accumulate(np.where(true_gev >= _threshold_gev(threshold_mev), bc, NO_GAP))
    previous = np.concatenate((np.full(1, NO_GAP), last[:-1])) if bc.size else last
    return np.where(previous == NO_GAP, NO_GAP, bc - previous)


def gap_classes(gap: I64, counted: Mask, edges_bc: Sequence[int]) -> list[EventClass]:
    """Classes by gap, e.g. 0-15, 16-18, 19-22, 23-30 and above 30 BC.

    Parameters
    ----------
    gap
        From `gap_bc`, int64 (n,). BCs of an unknown gap are in no class.
    counted
        bool (n,): which BCs are counted at all. The evaluation counts those of
        class `high`: the gap matters where one pulse rides on another.
    edges_bc
        Last gap of every class but the last one, increasing.
    """
    classes = []
    first = 0
    for last in edges_bc:
        mask = counted & (gap >= first) & (gap <= last)
        classes.append(EventClass(f"gap_{first}_{last}", f"{first}-{last} BC", mask))
        first = last + 1
    above = edges_bc[-1]
    classes.append(EventClass(f"gap_above_{above}", f"> {above} BC", counted & (gap > above)))
    return classes


def profile(at: NDArray[Any], residual_mev: F64, edges: F64, min_count: int = 20) -> Profile:
    """Quantiles of the residual in bins of another quantity.

    Parameters
    ----------
    at
        The other quantity, e.g. true E_T or gap, (n,).
    residual_mev
        Reconstructed minus true E_T, float64 (n,), MeV.
    edges
        Increasing bin edges, float64 (m + 1,); bins are ``[low, high)`` and
        entries outside are ignored.
    min_count
        Bins of fewer entries are left out: their quantiles would be noise.
    """
    order = np.argsort(at, kind="stable")
    cuts = np.searchsorted(at[order], edges)
    counts = np.diff(cuts)
    kept = np.flatnonzero(counts >= max(min_count, 1))
    parts = [residual_mev[order[cuts[k] : cuts[k + 1]]] for k in kept]
    quantiles = np.array([np.quantile(part, QUANTILES) for part in parts]).reshape(-1, 5)
    rmse = np.array([root_mean_square(part) for part in parts], np.float64)
    return Profile(edges[kept], edges[kept + 1], counts[kept], rmse, *quantiles.T)


def histogram(residual_mev: F64, range_mev: float, bin_mev: float) -> tuple[F64, F64]:
    """Distribution of residuals between minus and plus `range_mev`.

    Returns
    -------
    edges, fraction
        float64 (m + 1,), MeV, with a bin centred on 0, and float64 (m,): the
        share of all entries in each bin. Entries out of range count in the
        denominator, so that the histogram never looks better than it is.
    """
    half = round(range_mev / bin_mev)
    edges = (np.arange(-half, half + 2) - 0.5) * bin_mev
    counts, _ = np.histogram(residual_mev, edges)
    return edges, counts / max(residual_mev.size, 1)


def _threshold_gev(threshold_mev: float) -> np.float32:
    return np.float32(threshold_mev / MEV_PER_GEV)
