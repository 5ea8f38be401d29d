"""Types of the numbers that flow: what the width and the price of an operation depend on.

They are those of QKeras' QTools, without its silent substitutions: QTools answers a quantizer
that it does not know with an 8-bit default, and some that it does know with a type of another
width. Each such case is an `EnergyError` here; the reasons stand beside the checks and in
docs/energy.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from pipeline.base.errors import PipelineError
from pipeline.quantization.energy.description import EnergyError
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer

Kind = Literal["fixed", "power of two", "ternary", "signs", "bit", "float"]


@dataclass(frozen=True)
class NumberType:
    """Type of a number.

    Attributes
    ----------
    kind
        ``fixed`` point; a ``power of two`` with a sign; ``ternary``: -1, 0, 1; ``signs``: -1, 1;
        a ``bit``: 0, 1; ``float``.
    bits
        Of one value, with its sign; of a power of two, of sign and exponent.
    signed
        Whether a value can be below 0.
    largest
        Of a power of two: its greatest value; None is what the bits allow.
    signed_exponent
        Of a power of two: whether a bit is the exponent's sign. QKeras spends none where
        `max_value` is at most 1: all exponents are 0 or less, and reach twice as far down.
    """

    kind: Kind
    bits: int
    signed: bool
    largest: float | None = None
    signed_exponent: bool = True

    @property
    def exponent_bits(self) -> int:
        """Bits of a power of two without those of both signs."""
        return self.bits - self.signed - self.signed_exponent

    @property
    def exponents(self) -> tuple[int, int]:
        """How far a power of two reaches: bits below and above the binary point."""
        half = 2**self.exponent_bits
        up = half - 1 if self.signed_exponent else 0
        if self.largest is not None:
            up = min(math.ceil(math.log2(self.largest)), up)
        return half, max(0, up)

    @property
    def as_fixed(self) -> NumberType:
        """The fixed-point type that holds all values of a power of two; others are themselves."""
        if self.kind != "power of two":
            return self
        return NumberType("fixed", sum(self.exponents) + self.signed, self.signed)


DEFAULT_TYPES = {
    "fp32": NumberType("float", 32, True),
    "fp16": NumberType("float", 16, True),
    "int8": NumberType("fixed", 8, True),
    "int16": NumberType("fixed", 16, True),
    "int32": NumberType("fixed", 32, True),
}


def default_type(name: str) -> NumberType:
    """Return the type of a QTools name: fp32, fp16, int8, int16 or int32."""
    return DEFAULT_TYPES[name]


@lru_cache(maxsize=4096)
def type_of(text: str, key: str) -> NumberType:
    """Translate a quantizer string into a type.

    Parameters
    ----------
    text
        As `pipeline.quantizers.quantizer` reads it.
    key
        The tensor it stands at, for messages.

    Raises
    ------
    EnergyError
        If it is no quantizer, or QTools would take it for another one.
    """
    try:
        quantizer = parse_quantizer(text, key)
    except PipelineError as error:
        raise EnergyError(str(error)) from None
    problem = _scale_problem(quantizer.arguments.get("alpha")) or _one_bit_problem(quantizer)
    if problem:
        raise EnergyError(f"{key}: {text!r}: {problem}")
    return _translated(quantizer)


def _translated(quantizer: Quantizer) -> NumberType:
    arguments, bits = quantizer.arguments, quantizer.bits
    match quantizer.name:
        case "ternary" | "stochastic_ternary":
            return NumberType("ternary", bits, True)
        case "binary" | "stochastic_binary":  # trained, it holds the same values
            zero = bool(arguments.get("use_01", False))
            return NumberType("bit" if zero else "signs", bits, not zero)
        case "quantized_po2" | "quantized_relu_po2":
            # The sign of a leaky ReLU is a bit more than QKeras counts; QTools forgets it.
            leaky = bool(arguments.get("negative_slope", 0))
            signed = leaky or quantizer.name == "quantized_po2"
            largest = arguments.get("max_value")
            signed_exponent = largest is None or largest > 1
            return NumberType("power of two", bits + leaky, signed, largest, signed_exponent)
        case "quantized_relu":
            one_bit = (bits, arguments.get("integer", 0)) == (1, 1)
            leaky = bool(arguments.get("negative_slope", 0))
            return NumberType("bit" if one_bit else "fixed", bits, leaky)
        case "quantized_sigmoid":  # QTools lacks it and would take the accumulator's type
            return NumberType("fixed", bits, False)
        case "quantized_tanh":
            return NumberType("fixed", bits, True)
    return NumberType("fixed", bits, bool(arguments.get("keep_negative", True)))


def _scale_problem(alpha: Any) -> str | None:
    """QTools ignores `alpha`: right only for a power of two, which is wiring."""
    if alpha is None or alpha == "auto_po2":
        return None
    if isinstance(alpha, str):
        return (
            f"alpha: {alpha!r} needs a multiplication that QTools does not count; "
            "expected a power of two or 'auto_po2'"
        )
    if isinstance(alpha, (int, float)) and alpha > 0 and math.log2(alpha).is_integer():
        return None
    return f"alpha: expected a power of two or 'auto_po2', found {alpha!r}"


def _one_bit_problem(quantizer: Quantizer) -> str | None:
    """Refuse a one-bit ReLU, a gate, that QTools would charge as a multiplier."""
    one_bit = quantizer.name == "quantized_relu" and quantizer.bits == 1
    if one_bit and quantizer.arguments.get("integer", 0) != 1:
        return "with one bit QTools knows integer=1 only"
    return None
