"""Types of an HLS project: hls4ml's notation, and those that change no value."""

from __future__ import annotations

import numpy as np

from pipeline.base.arrays import F64
from pipeline.base.errors import PipelineError
from pipeline.base.fixed_point_type import MAX_BITS, FixedPointType
from pipeline.integers.fixed_point import MANTISSA_BITS, bits_for
from pipeline.integers.layers import IntegerTensor


class HlsGraphError(PipelineError):
    """A network that cannot be expressed for hls4ml without changing its numbers."""


def precision_string(of: FixedPointType) -> str:
    """hls4ml's notation of a type: ``fixed<width,integer,rounding,overflow>``.

    A type of powers of two gets the modes that do nothing: what is put in has been rounded.
    """
    kind = "fixed" if of.signed else "ufixed"
    modes = "TRN,WRAP" if of.powers_of_two else f"{of.rounding},{of.overflow}"
    return f"{kind}<{of.bits},{of.bits - of.fraction_bits},{modes}>"


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


def real_weights(tensor: IntegerTensor) -> F64:
    """Return weights as float64; refuses integers that float64 does not hold."""
    integers = tensor.array
    if tensor.type.bits > MANTISSA_BITS:
        raise HlsGraphError(
            f"weights are limited to {MANTISSA_BITS} bits, found {tensor.type.bits}"
        )
    real: F64 = np.ldexp(integers.astype(np.float64), -tensor.type.fraction_bits)
    return real


def common_type(first: FixedPointType, second: FixedPointType) -> FixedPointType:
    """Return the smallest type that holds all values of both exactly."""
    signed = first.signed or second.signed
    whole = max(t.bits - t.fraction_bits + (signed and not t.signed) for t in (first, second))
    fraction_bits = max(first.fraction_bits, second.fraction_bits)
    return lossless_type(signed, whole + fraction_bits, fraction_bits)


def lossless_type(signed: bool, bits: int, fraction_bits: int) -> FixedPointType:
    """Return a type that holds its values exactly: no rounding or saturation hardware."""
    if bits > MAX_BITS:
        raise HlsGraphError(f"a type of {bits} bits is needed, the limit is {MAX_BITS}")
    return FixedPointType(
        signed=signed, bits=bits, fraction_bits=fraction_bits, rounding="TRN", overflow="WRAP"
    )
