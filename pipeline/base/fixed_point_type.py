"""Fixed-point types: what a bit pattern means, in the words of ``ap_fixed``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.base.schema import Frozen

MAX_BITS = 62
Rounding = Literal["TRN", "RND", "RND_CONV"]
Overflow = Literal["WRAP", "SAT"]


class FixedPointType(Frozen):
    """A fixed-point type: value = integer * 2**-fraction_bits.

    ``bits`` counts the sign bit of a signed type. ``fraction_bits`` may be
    negative or exceed ``bits``. TRN rounds towards minus infinity, RND to
    nearest with ties towards plus infinity, RND_CONV to nearest with ties to
    even (what ``tf.round`` does). The names are those of ``ap_fixed``.
    """

    signed: bool
    bits: int = Field(ge=1, le=MAX_BITS)
    fraction_bits: int = Field(ge=-62, le=62)
    rounding: Rounding = "RND_CONV"
    overflow: Overflow = "SAT"

    @property
    def minimum(self) -> int:
        """Smallest integer of the type."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest integer of the type."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    @property
    def step(self) -> float:
        """Value of the least significant bit."""
        return 2.0**-self.fraction_bits
