"""Networks with bits of their own for every weight and hidden unit: parameters, what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.base.arrays import F32
from pipeline.networks.stack.stack import Weights

LEAST_FRACTION, MOST_FRACTION = -8, 14  # of a weight; the core's own limits


@dataclass(frozen=True)
class ValueBits:
    """Bits of the values that are not learned.

    Attributes
    ----------
    sample
        Bits of a sample without its sign: what its products are priced with.
    output
        Fraction bits of the output, which is in ``[0, 1)``.
    """

    sample: int = 10
    output: int = 12


@dataclass(frozen=True)
class LearnedNetwork:
    """A network whose bits were learned.

    Attributes
    ----------
    weights
        As they are before they are rounded, by ``layer/tensor``.
    fraction_bits
        Of each weight: the parameters, which are rounded to whole numbers when they are used.
    unit_bits
        Of the value of each hidden unit, float32 (units,), likewise.
    """

    weights: Weights
    fraction_bits: Weights
    unit_bits: F32

    @classmethod
    def with_bits(
        cls, weights: Mapping[str, F32], fraction_bits: float, unit_bits: float
    ) -> LearnedNetwork:
        """Return a network whose weights, and whose units, all start with the same bits."""
        units = weights["rnn/recurrent_kernel"].shape[0]
        return cls(
            {name: tensor.astype(np.float32) for name, tensor in weights.items()},
            {name: np.full(w.shape, fraction_bits, np.float32) for name, w in weights.items()},
            np.full(units, unit_bits, np.float32),
        )

    @classmethod
    def of_quantized(
        cls, weights: Mapping[str, F32], unit_bits: float, spare: int = 0
    ) -> LearnedNetwork:
        """Return a network that starts from quantized weights, each with the bits it needs.

        Parameters
        ----------
        weights
            Values of a quantizer: multiples of ``2**-14``.
        unit_bits
            Of every hidden unit.
        spare
            Fraction bits more than each weight needs. A weight that is 0 gets those of the
            finest one of its tensor.
        """
        fractions = {name: _needed(tensor) + np.float32(spare) for name, tensor in weights.items()}
        network = cls.with_bits(weights, 0.0, unit_bits)
        return cls(network.weights, fractions, network.unit_bits)


@dataclass(frozen=True)
class RoundedNetwork:
    """What a network with learned bits computes with.

    Attributes
    ----------
    weights
        Rounded weights, by ``layer/tensor``.
    bits
        Places of each weight; 0 for a weight that is 0.
    unit_bits
        Bits of each hidden value, int64 (units,): multiples of ``2**-bits`` below 1.
    operations
        Effective bit operations of a window.
    """

    weights: Weights
    bits: dict[str, NDArray[np.int64]]
    unit_bits: NDArray[np.int64]
    operations: int


def _needed(weights: F32) -> F32:
    """Return the fewest fraction bits with which each weight is what it is."""
    needed = np.full(weights.shape, MOST_FRACTION, np.float32)
    for bits in range(MOST_FRACTION, LEAST_FRACTION - 1, -1):
        needed[weights * 2.0**bits == np.floor(weights * 2.0**bits)] = bits
    nonzero = needed[weights != 0]
    needed[weights == 0] = nonzero.max() if nonzero.size else 0
    return needed
