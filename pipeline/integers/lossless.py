"""Types that hold values exactly: putting values into one changes none of them."""

from __future__ import annotations

import numpy as np

from pipeline.base.arrays import F64
from pipeline.base.fixed_point_type import MAX_BITS, FixedPointType
from pipeline.integers.fixed_point import MANTISSA_BITS, FixedPointError, bits_for


def exact_type(real: F64) -> FixedPointType:
    """Return the smallest signed type that holds float64 values exactly."""
    if not real.any():
        return lossless_type(True, 1, 0)
    mantissa, exponent = np.frexp(real[real != 0])
    integers = np.ldexp(mantissa, MANTISSA_BITS).astype(np.int64)
    trailing = np.array([(int(i) & -int(i)).bit_length() - 1 for i in integers])
    fraction_bits = int((MANTISSA_BITS - exponent - trailing).max())
    low, high = (int(np.ldexp(end, fraction_bits)) for end in (real.min(), real.max()))
    return lossless_type(True, bits_for(low, high), fraction_bits)


def common_type(first: FixedPointType, second: FixedPointType) -> FixedPointType:
    """Return the smallest type that holds all values of both exactly."""
    signed = first.signed or second.signed
    whole = max(t.bits - t.fraction_bits + (signed and not t.signed) for t in (first, second))
    fraction_bits = max(first.fraction_bits, second.fraction_bits)
    return lossless_type(signed, whole + fraction_bits, fraction_bits)


def lossless_type(signed: bool, bits: int, fraction_bits: int) -> FixedPointType:
    """Return a type that holds its values exactly: no rounding or saturation hardware."""
    if bits > MAX_BITS:
        raise FixedPointError(f"a type of {bits} bits is needed, the limit is {MAX_BITS}")
    return FixedPointType(
        signed=signed, bits=bits, fraction_bits=fraction_bits, rounding="TRN", overflow="WRAP"
    )
