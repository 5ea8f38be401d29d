"""The test split and all reconstructions of it, aligned: one entry per window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.base.arrays import F32, F64, I64
from pipeline.base.files import ArtifactError
from pipeline.evaluation.residuals import (
    EventClass,
    Profile,
    energy_classes,
    gap_bc,
    gap_classes,
    mev,
    profile,
)
from pipeline.params.evaluation import EvaluateParams
from pipeline.samples.prepared import Split

OFMAX = "ofmax"


@dataclass(frozen=True)
class Sample:
    """What is compared, at the BC that each window (n of them) reconstructs.

    Attributes
    ----------
    true_gev
        True E_T, float32 (n,), GeV: classes are cut on this, unconverted.
    true_mev
        The same, float64 (n,), MeV.
    dig_mev
        Digitised sample of the same BC, float64 (n,), MeV.
    gap
        BCs since the previous deposit, int64 (n,); see `residuals.gap_bc`.
    reco_mev
        Name of the reconstruction -> E_T, float64 (n,), MeV; OFMax comes first.
    residual_mev
        Name of the reconstruction -> reconstructed minus true E_T, likewise.
    first_bc
        BC of the test split to which entry 0 belongs.
    by_energy, by_gap
        Classes of BCs.
    """

    true_gev: F32
    true_mev: F64
    dig_mev: F64
    gap: I64
    reco_mev: dict[str, F64]
    residual_mev: dict[str, F64]
    first_bc: int
    by_energy: list[EventClass]
    by_gap: list[EventClass]

    def energy_class(self, name: str) -> EventClass:
        """Return the class of true E_T of that name."""
        return next(group for group in self.by_energy if group.name == name)

    @property
    def counted_in_gaps(self) -> NDArray[np.bool_]:
        """BCs of class `high` whose gap is known, bool (n,)."""
        counted: NDArray[np.bool_] = np.any([group.mask for group in self.by_gap], axis=0)
        return counted


def assemble(split: Split, predictions: Mapping[str, F32], params: EvaluateParams) -> Sample:
    """Align truth, optimal filter and predictions.

    Parameters
    ----------
    split
        The test split.
    predictions
        Name -> float32 (split.n_windows,) in units of ``split.et_scale_gev``.
    params
        Thresholds and gap edges.

    Raises
    ------
    ArtifactError
        If the split holds no window or a sequence that is not finite.
    """
    if split.n_windows < 1:
        raise ArtifactError(f"split {split.name}: expected at least 1 window, found none")
    at = {
        name: split.targets(_finite(split, name))
        for name in ("hit_et_gev", "ofmax_et_gev", "dig_et_gev")
    }
    true_gev = at["hit_et_gev"]
    true_mev = mev(true_gev)
    reco = {OFMAX: mev(at["ofmax_et_gev"])}
    # The scale is applied in double precision: float32 would round a scale that
    # is not a power of two.
    reco |= {name: mev(value) * split.et_scale_gev for name, value in predictions.items()}
    # The gap looks back over the whole sequence, including BCs before the first target.
    gap = split.targets(gap_bc(split.hit_et_gev, params.low_et_mev))
    by_energy = energy_classes(true_gev, params.low_et_mev, params.high_et_mev)
    high = next(group.mask for group in by_energy if group.name == "high")
    return Sample(
        true_gev=true_gev,
        true_mev=true_mev,
        dig_mev=mev(at["dig_et_gev"]),
        gap=gap,
        reco_mev=reco,
        residual_mev={name: value - true_mev for name, value in reco.items()},
        first_bc=split.window_length - split.target_lag,
        by_energy=by_energy,
        by_gap=gap_classes(gap, high, params.gap_edges_bc),
    )


def response_profiles(sample: Sample, bin_mev: float) -> dict[str, Profile]:
    """Profile the residual in bins of true E_T > 0 (MeV), by reconstruction.

    BCs without a deposit would fill the first bin and hide the rest of it.
    """
    deposit = sample.true_mev > 0
    true_mev = sample.true_mev[deposit]
    n_bins = int(np.max(true_mev, initial=0) // bin_mev) + 1
    edges = np.arange(n_bins + 1) * bin_mev
    return {name: profile(true_mev, r[deposit], edges) for name, r in sample.residual_mev.items()}


def gap_profiles(sample: Sample, last_bc: int = 50, bin_bc: int = 2) -> dict[str, Profile]:
    """Profile the residual in bins of gap up to `last_bc`, by reconstruction.

    Finer than the gap classes, over the same BCs.
    """
    counted = sample.counted_in_gaps
    gap = sample.gap[counted]
    edges = np.arange(1, last_bc + bin_bc + 1, bin_bc).astype(np.float64)
    return {name: profile(gap, r[counted], edges) for name, r in sample.residual_mev.items()}


def _finite(split: Split, name: str) -> F32:
    values: F32 = getattr(split, name)
    if not np.all(np.isfinite(values)):
        raise ArtifactError(f"split {split.name}: {name}: not finite")
    return values
