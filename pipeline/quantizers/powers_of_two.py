"""Powers of two as activations: the exponents that hardware keeps, and the QKeras object.

QKeras' own exponents reach from 2**-128 to 2**127 with 8 bits, and its float logarithm rounds
numbers within some 1e-7 of a threshold to the wrong side. As an activation, a power of two is
therefore a class of this project, with fewer exponents and exact thresholds: training, search,
integers and firmware all have the same values.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from pipeline.quantizers.quantizer import Quantizer, QuantizerError

# With weights down to 2**-23 (SMALLEST_EXPONENT) and up to 31 units, a sum then has the 51 bits
# that RTL allows, and 2**-15 of an E_T scale of 16 GeV is half an MeV.
LOWEST_ACTIVATION = -15
# All exponents of four bits, -8 .. 7.
HIGHEST_ACTIVATION = 7
_SQUARE_OF_HALF = Fraction(1, 2)


def is_power_of_two(quantizer: Quantizer) -> bool:
    """Whether all values of a quantizer are powers of two (it is no scale that is one)."""
    return quantizer.name.endswith("po2")


def activation_exponents(quantizer: Quantizer, key: str) -> tuple[int, int]:
    """Return the lowest and the highest exponent of an activation that is a power of two.

    They are QKeras', within `LOWEST_ACTIVATION` and `HIGHEST_ACTIVATION`.

    Raises
    ------
    QuantizerError
        If the quantizer is a leaky ReLU, rounds by chance or to even exponents only, or its
        `max_value` leaves fewer than two powers.
    """
    arguments = quantizer.arguments
    for name in ("negative_slope", "use_stochastic_rounding", "quadratic_approximation"):
        if arguments.get(name):
            raise QuantizerError(
                f"{key}: {quantizer.text}: expected an activation without {name}: hardware has "
                "no form of it"
            )
    largest = arguments.get("max_value")
    reach = quantizer.exponent_reach
    lowest = max(-reach, LOWEST_ACTIVATION)
    highest = reach - 1 if largest is None else min(reach - 1, _nearest_exponent(largest))
    if highest <= lowest:
        raise QuantizerError(
            f"{key}: max_value of {quantizer.text} must be 0 (no limit) or at least "
            f"2**{lowest + 1}: an activation has no power below 2**{lowest}"
        )
    return lowest, min(highest, HIGHEST_ACTIVATION)


def build_activation(quantizer: Quantizer, key: str) -> Any:
    """Return a new QKeras quantizer object for an activation or a state; imports QKeras.

    Raises
    ------
    QuantizerError
        See `activation_exponents`; `key` names the tensor.
    """
    if not is_power_of_two(quantizer):
        return quantizer.build()
    lowest, highest = activation_exponents(quantizer, key)
    from pipeline.quantizers import (
        qkeras_powers,  # imports TensorFlow: not at the top
    )

    made = qkeras_powers.ACTIVATIONS[quantizer.name]
    return made(lowest, highest, **quantizer.arguments)


def _nearest_exponent(number: float) -> int:
    """Exponent of the power of two next to a positive number, by their logarithms."""
    fraction, exponent = math.frexp(number)
    return exponent - 1 + (Fraction(fraction) ** 2 >= _SQUARE_OF_HALF)
