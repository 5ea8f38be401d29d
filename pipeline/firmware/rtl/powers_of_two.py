"""Powers of two in da4ml: rounding to them is a tree of comparisons, each of which chooses a half.

For 22 thresholds five choices stand in a row; a chain would have 22. The comparisons do not
wait for each other.
"""

from __future__ import annotations

import warnings
from typing import Any

from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.fixed_point import power_threshold

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # numba's, about the caching of code that it compiles
    from da4ml.trace.fixed_variable import FixedVariable


def power_of_two(variable: Any, constant: int, shift: int, to: FixedPointType) -> Any:
    """Return ``(variable + constant) * 2**-shift`` as an integer of a type of powers of two.

    Parameters
    ----------
    variable
        da4ml's, whole numbers only.
    constant
        Added first.
    shift
        Bits of the sum behind the binary point of `to`; negative: bits that it lacks.
    to
        The type; its rounding is PO2.
    """
    low, high = int(variable.low) + constant, int(variable.high) + constant
    values, thresholds = _steps(shift, to)
    # A number that can only be on one side of a threshold has no sign to choose by.
    below = sum(threshold <= low for threshold in thresholds)
    above = sum(threshold <= high for threshold in thresholds)
    # da4ml steers wrongly by 0 where the variable is negated: half a step keeps off 0.
    half = 0.5 if variable._factor < 0 else 0.0
    selects = [variable + (constant - threshold + half) for threshold in thresholds[below:above]]
    return _chosen(selects, values[below : above + 1], variable.hwconf)


def _steps(shift: int, to: FixedPointType) -> tuple[list[int], list[int]]:
    """Values of the type in rising order, and for each but the first where it begins."""
    powers = range(1, to.highest_power + 1)
    values = [1 << power for power in (0, *powers)]
    thresholds = [power_threshold(2 * (power + shift) - 1) for power in powers]
    if not to.signed:
        return values, thresholds
    mirrored = [1 - threshold for threshold in reversed(thresholds)]
    return [-value for value in reversed(values)] + values, [*mirrored, 0, *thresholds]


def _chosen(selects: list[Any], values: list[int], hardware: Any) -> Any:
    """Return the value behind the last select that is not negative; the first without one."""
    if not selects:
        return FixedVariable.from_const(float(values[0]), hwconf=hardware)
    middle = len(selects) // 2
    lower = _chosen(selects[:middle], values[: middle + 1], hardware)
    upper = _chosen(selects[middle + 1 :], values[middle + 1 :], hardware)
    return selects[middle].msb_mux(lower, upper)
