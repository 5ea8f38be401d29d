"""Fixed-point types: what a bit pattern means, in the words of ``ap_fixed``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.base.schema import Frozen

MAX_BITS = 62
MAX_FRACTION_BITS = 40  # of a weight in models/integer.json
Rounding = Literal["TRN", "RND", "RND_CONV", "PO2"]
Overflow = Literal["WRAP", "SAT"]


class FixedPointType(Frozen):
    """A fixed-point type: value = integer * 2**-fraction_bits.

    ``bits`` counts the sign bit of a signed type. ``fraction_bits`` may be
    negative or exceed ``bits``. TRN rounds towards minus infinity, RND to
    nearest with ties towards plus infinity, RND_CONV to nearest with ties to
    even (what ``tf.round`` does). The names are those of ``ap_fixed``.

    PO2 is none of them: the type holds only powers of two, of which the smallest is one step
    and the largest one bit, with both signs if it is signed. It has no zero. A number goes to
    the power next to its logarithm, 0 to one step; beyond the largest power it saturates.
    """

    signed: bool
    bits: int = Field(ge=1, le=MAX_BITS)
    fraction_bits: int = Field(ge=-62, le=62)
    rounding: Rounding = "RND_CONV"
    overflow: Overflow = "SAT"

    @model_validator(mode="after")
    def _holds_a_power(self) -> Self:
        if self.powers_of_two and (self.overflow != "SAT" or self.bits <= self.signed):
            raise ValueError(
                "a type of powers of two (PO2) must saturate (SAT) and have a bit beside its "
                f"sign, found {self.overflow} and {self.bits} bits"
            )
        return self

    @property
    def powers_of_two(self) -> bool:
        """Whether the type holds only powers of two."""
        return self.rounding == "PO2"

    @property
    def rounded_zero(self) -> int:
        """The integer that 0 is rounded to."""
        return int(self.powers_of_two)

    @property
    def highest_power(self) -> int:
        """Exponent of the largest power of two that a PO2 type holds, in steps."""
        return self.bits - 1 - self.signed

    @property
    def minimum(self) -> int:
        """Smallest integer of the type."""
        if self.powers_of_two:
            return -self.maximum if self.signed else 1
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest integer of the type."""
        if self.powers_of_two:
            return 1 << self.highest_power
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def step(self) -> float:
        """Value of the least significant bit."""
        return 2.0**-self.fraction_bits
