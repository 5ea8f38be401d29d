"""Fixed-point types on numpy int64: rounding, saturation and conversion, all exact.

The semantics are those of ``ap_fixed`` (AMD UG1399, "Arbitrary precision fixed-point
data types"): quantisation first, then overflow. Nothing here depends on floating-point
rounding: real numbers are taken apart into mantissa and exponent first. Types of powers of
two (PO2), which ``ap_fixed`` does not have, are rounded by comparing squares of integers.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
from numpy.typing import NDArray

from pipeline.base.arrays import F64, I64, Real
from pipeline.base.errors import PipelineError
from pipeline.base.fixed_point_type import FixedPointType, Rounding

MANTISSA_BITS = 53
_INT64_BITS = 64


class FixedPointError(PipelineError):
    """Values that cannot be expressed in fixed point without changing them."""


def requantize(integers: I64, fraction_bits_in: int, to: FixedPointType) -> I64:
    """Round integers of one binary point into a type.

    Parameters
    ----------
    integers
        int64, any shape; a value is ``integer * 2**-fraction_bits_in``.
    fraction_bits_in
        Position of the binary point of `integers`.
    to
        Target type: its rounding is applied first, then its overflow mode.

    Returns
    -------
    int64 array of the same shape, integers of `to`.
    """
    return _shift_into(integers, np.int64(fraction_bits_in - to.fraction_bits), to)


def quantize(real: Real, to: FixedPointType) -> I64:
    """Round real numbers into a type, exactly.

    Parameters
    ----------
    real
        float32 or float64, any shape; finite.
    to
        Target type.

    Returns
    -------
    int64 array of the same shape, integers of `to`.

    Raises
    ------
    FixedPointError
        If a value is NaN or infinite; the first such position is named.
    """
    values = np.asarray(real)
    finite = np.isfinite(values)
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise FixedPointError(f"cannot quantize {values[where]} at index {where}: not finite")
    mantissa, exponent = np.frexp(values.astype(np.float64))
    integers = np.ldexp(mantissa, MANTISSA_BITS).astype(np.int64)
    shift = MANTISSA_BITS - exponent.astype(np.int64) - to.fraction_bits
    return _shift_into(integers, shift, to)


def dequantize(integers: I64, of: FixedPointType) -> F64:
    """Real values of integers of a type, float64 of the same shape.

    Raises
    ------
    FixedPointError
        If an integer needs more than the 53 bits of a float64.
    """
    if integers.size and max(-int(integers.min()), int(integers.max())) > 1 << MANTISSA_BITS:
        raise FixedPointError(f"integers beyond {MANTISSA_BITS} bits have no exact float64 value")
    return np.ldexp(integers.astype(np.float64), -of.fraction_bits)


def power_threshold(twice: int) -> int:
    """Smallest positive integer whose square is at least ``2**twice``, `twice` being odd.

    ``2**(twice / 2)`` is irrational: no integer meets it, so rounding to a power has no ties.
    """
    return isqrt(1 << twice) + 1 if twice > 0 else 1


def bits_for(minimum: int, maximum: int) -> int:
    """Width of the smallest signed type that holds ``minimum .. maximum``; at least 1."""
    return 1 + max(max(maximum, 0).bit_length(), (-minimum - 1).bit_length() if minimum < 0 else 0)


def _shift_into(integers: I64, shift: I64 | np.int64, to: FixedPointType) -> I64:
    """Integers times ``2**-shift`` in the type `to`; `shift` is a scalar or one per value."""
    if to.powers_of_two:
        return _power_of_two(integers, shift, to)
    left = np.maximum(-shift, 0)
    rounded = _round_shift(integers, np.maximum(shift, 0), to.rounding)
    if to.overflow == "SAT":
        return _shift_left_saturating(rounded, left, to)
    return _wrap(_shift_left(rounded, left), to)


_THRESHOLDS = np.array(
    [power_threshold(2 * power - 1) for power in range(1, _INT64_BITS + 1)], np.uint64
)


def _power_of_two(integers: I64, shift: I64 | np.int64, to: FixedPointType) -> I64:
    """Integers times ``2**-shift`` as powers of two of the type `to`."""
    negative = integers < 0
    bits = integers.astype(np.uint64)
    magnitude = np.where(negative, ~bits + np.uint64(1), bits)  # also that of -2**63
    power = np.searchsorted(_THRESHOLDS, magnitude, side="right").astype(np.int64) - shift
    power = np.where(integers == 0, 0, np.clip(power, 0, to.highest_power))
    if not to.signed:
        power = np.where(negative, 0, power)
    size = np.int64(1) << power
    result: I64 = np.where(negative & to.signed, -size, size)
    return result


def _round_shift(values: I64, shift: I64 | np.int64, rounding: Rounding) -> I64:
    """``values / 2**shift`` rounded; never forms a sum that could overflow.

    From 64 bits on the quotient is at most one half in size, and the one tie,
    -1/2, rounds to 0 in both modes that round to nearest.
    """
    far = shift >= _INT64_BITS
    near = np.minimum(shift, _INT64_BITS - 1)
    quotient: I64 = values >> near
    if rounding == "TRN":
        return quotient  # an arithmetic shift by 63 already gives 0 or -1
    remainder = values - (quotient << near)
    half = (np.int64(1) << near) >> 1
    if rounding == "RND":
        up = remainder >= half
    else:
        up = (remainder > half) | ((remainder == half) & ((quotient & 1) == 1))
    # A shift of 0 has half = 0 and remainder = 0: nothing to round. For a shift of 63 the
    # constant 1 << 63 is negative, so its half is formed without it.
    up = np.where(near == _INT64_BITS - 1, _up_63(values, rounding), up)
    result: I64 = np.where(far, 0, quotient + (up & (near > 0)))
    return result


def _up_63(values: I64, rounding: Rounding) -> NDArray[np.bool_]:
    """Whether ``values / 2**63``, in [-1, 1), rounds up from its floor."""
    half = np.int64(1) << 62
    up: NDArray[np.bool_] = (values > half) | ((values < 0) & (values >= -half))
    return up | (values == half) if rounding == "RND" else up


def _shift_left(values: I64, shift: I64 | np.int64) -> I64:
    """``values * 2**shift`` modulo 2**64."""
    bits = values.astype(np.uint64) << np.minimum(shift, _INT64_BITS - 1).astype(np.uint64)
    result: I64 = np.where(shift >= _INT64_BITS, np.uint64(0), bits).astype(np.int64)
    return result


def _shift_left_saturating(values: I64, shift: I64 | np.int64, to: FixedPointType) -> I64:
    """``values * 2**shift`` clipped to the type; compares before it shifts."""
    near = np.minimum(shift, _INT64_BITS - 1)
    highest = np.int64(to.maximum) >> near
    lowest = -(np.int64(-to.minimum) >> near)
    inside = _shift_left(np.clip(values, lowest, highest), near)
    clipped = np.where(values > highest, to.maximum, np.where(values < lowest, to.minimum, inside))
    result: I64 = clipped.astype(np.int64)
    return result


def _wrap(values: I64, to: FixedPointType) -> I64:
    """Keep the low ``to.bits`` bits and read them as the type."""
    low = values & np.int64((1 << to.bits) - 1)
    if not to.signed:
        return low
    sign = np.int64(1) << np.int64(to.bits - 1)
    result: I64 = (low ^ sign) - sign
    return result
