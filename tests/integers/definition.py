"""Rounding and overflow by definition, on exact fractions."""

import math
from fractions import Fraction

from pipeline.base.fixed_point_type import FixedPointType


def reference(value: Fraction, to: FixedPointType) -> int:
    """The definition, on Python integers: round, then overflow."""
    scaled = value * Fraction(2) ** to.fraction_bits
    if to.rounding == "TRN":
        integer = math.floor(scaled)
    elif to.rounding == "RND":
        integer = math.floor(scaled + Fraction(1, 2))
    else:
        integer = round(scaled)  # Fraction rounds ties to even
    if to.overflow == "SAT":
        return min(max(integer, to.minimum), to.maximum)
    integer %= 1 << to.bits
    return integer - (1 << to.bits) if integer > to.maximum else integer
