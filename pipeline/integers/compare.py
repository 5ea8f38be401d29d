"""Whether two evaluators agree on every window; if not, where they part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base.arrays import F64
from pipeline.base.errors import PipelineError
from pipeline.base.units import MEV_PER_GEV
from pipeline.integers.golden import EvaluatedTensor
from pipeline.integers.network import IntegerNetwork

Outputs = NDArray[np.float32] | NDArray[np.float64]


class MismatchError(PipelineError):
    """Two evaluators differ by more than is allowed."""


@dataclass(frozen=True)
class Comparison:
    """One evaluator against a reference, over all windows.

    Attributes
    ----------
    found, reference
        Names of the two evaluators.
    windows
        Windows compared.
    mismatches
        Windows whose outputs are not equal; NaN equals nothing.
    max_difference_lsb, max_difference_mev
        Largest difference, in steps of the output type and in MeV; infinite
        where an output is not finite.
    first_window
        Index of the first mismatch, None without one.
    values
        Reference and found output there, E_T / ``et_scale_gev``.
    """

    found: str
    reference: str
    windows: int
    mismatches: int
    max_difference_lsb: float
    max_difference_mev: float
    first_window: int | None
    values: tuple[float, float] | None

    def metrics(self) -> dict[str, Any]:
        """Return what goes into ``metrics/firmware.json``."""
        return {
            "windows": self.windows,
            "mismatches": self.mismatches,
            "max_difference_mev": self.max_difference_mev,
        }


def compare(
    network: IntegerNetwork,
    reference: tuple[str, Outputs],
    found: tuple[str, Outputs],
) -> Comparison:
    """Compare the outputs of two evaluators, each given as name and array (n,).

    Outputs are E_T / ``et_scale_gev``; float32 and float64 may be mixed.

    Raises
    ------
    MismatchError
        If the arrays differ in shape.
    """
    expected, actual = reference[1].astype(np.float64), found[1].astype(np.float64)
    if expected.shape != actual.shape or expected.ndim != 1:
        raise MismatchError(
            f"{found[0]} has outputs of shape {actual.shape}, {reference[0]} {expected.shape}"
        )
    differing = np.flatnonzero(~(expected == actual))
    largest = _largest_difference(expected[differing], actual[differing])
    first = int(differing[0]) if differing.size else None
    return Comparison(
        found=found[0],
        reference=reference[0],
        windows=len(expected),
        mismatches=len(differing),
        max_difference_lsb=largest / network.output.step,
        max_difference_mev=largest * network.et_scale_gev * MEV_PER_GEV,
        first_window=first,
        values=None if first is None else (float(expected[first]), float(actual[first])),
    )


def require_agreement(comparison: Comparison, allowed_mev: float, where: str) -> None:
    """Fail if the largest difference exceeds `allowed_mev`.

    Parameters
    ----------
    comparison
        What was found.
    allowed_mev
        Largest difference that passes; 0 asks for equality.
    where
        Sentence that names the tensor, see `name_tensor`.

    Raises
    ------
    MismatchError
        Naming the first window, both values, and the tensor.
    """
    if comparison.values is None or comparison.max_difference_mev <= allowed_mev:
        return
    expected, actual = comparison.values
    raise MismatchError(
        f"{comparison.found} differs from {comparison.reference} in {comparison.mismatches} of "
        f"{comparison.windows} windows, by up to {comparison.max_difference_lsb:g} LSB = "
        f"{comparison.max_difference_mev:g} MeV (allowed: {allowed_mev:g} MeV); "
        f"first in window {comparison.first_window}: {actual!r} instead of {expected!r}; {where}"
    )


def name_tensor(golden: Mapping[str, EvaluatedTensor], name: str, other: Mapping[str, F64]) -> str:
    """Name the first tensor in which an evaluator leaves the golden model.

    Parameters
    ----------
    golden
        `pipeline.integers.golden.evaluate_tensors` of one window.
    name
        The other evaluator.
    other
        Its tensors of that window, float64 (1, units), under the same names;
        may lack some.

    Returns
    -------
    A sentence: tensor, unit and both values, or what was compared in vain.
    """
    compared = [tensor for tensor in golden if tensor in other]
    for tensor in compared:
        expected, actual = golden[tensor].real[0], other[tensor][0]
        differing = np.flatnonzero(~(expected == actual))
        if differing.size:
            unit = int(differing[0])
            alone = ", the only one at hand" if len(compared) == 1 else ""
            return (
                f"first tensor that differs{alone}: {tensor}, unit {unit}: "
                f"golden has {float(expected[unit])!r}, {name} {float(actual[unit])!r}"
            )
    return f"no difference in the tensors at hand ({', '.join(compared) or 'none'})"


def _largest_difference(expected: F64, actual: F64) -> float:
    """Largest absolute difference, 0 for none; infinite if any value is not finite."""
    if expected.size == 0:
        return 0.0
    if not (np.isfinite(expected).all() and np.isfinite(actual).all()):
        return float("inf")
    return float(np.abs(expected - actual).max())
