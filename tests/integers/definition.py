"""Rounding and overflow by definition, on exact fractions."""

import math
from fractions import Fraction

from pipeline.base.fixed_point_type import FixedPointType


def reference(value: Fraction, to: FixedPointType) -> int:
    """The definition, on Python integers: round, then overflow."""
    scaled = value * Fraction(2) ** to.fraction_bits
    if to.rounding == "PO2":
        return power_of_two(scaled, to)
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


def power_of_two(scaled: Fraction, to: FixedPointType) -> int:
    """The power whose logarithm is nearest: the last one that is not above sqrt(2) times it."""
    if scaled < 0 and not to.signed:
        return 1
    power = 1
    while power < to.maximum and scaled**2 >= 2 * power**2:
        power *= 2
    return -power if scaled < 0 else power
