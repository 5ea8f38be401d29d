"""The same SimpleRNN with its hidden units rescaled.

ReLU is positively homogeneous: the output of a unit may be divided by a factor if what reads
it is multiplied by the same, and the network stays the same function. Quantizers do see the
difference. NumPy only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.base.arrays import F32
from pipeline.quantization.training.resizing import Weights, hidden_states
from pipeline.quantizers.quantizer import Quantizer

KERNEL = "rnn/kernel"
# Flags of 0 instead of a sign, of even exponents only, and of chance.
_OTHER_VALUES = ("use_01", "quadratic_approximation", "use_stochastic_rounding")


def within_one(weights: Mapping[str, F32], samples: F32) -> Weights:
    """Return the weights of the same SimpleRNN whose hidden units stay below 1 on `samples`.

    The factors are powers of two, so float32 gives the same output to the last bit. A
    quantized ReLU that ends at 1 then cuts nothing off.

    Parameters
    ----------
    weights
        Of a SimpleRNN with ReLU, by ``layer/tensor``.
    samples
        Windows ``(n, L)``, scaled.
    """
    return _divided(weights, _power_above(np.maximum(_largest(weights, samples), 1)))


def fill_range(weights: Mapping[str, F32], samples: F32) -> Weights:
    """Return the weights of the same SimpleRNN whose hidden units end between 1/2 and 1.

    A unit that stays below 1/4 leaves two bits of its quantizer unused. No bias goes beyond 1,
    so where one is larger than its unit the unit stays smaller. Parameters as in `within_one`;
    a unit that never answers is left as it is.
    """
    largest = _largest(weights, samples)
    reached = np.maximum(largest, np.abs(weights["rnn/bias"]))
    return _divided(weights, _power_above(np.where(largest > 0, reached, 1)))


def _largest(weights: Mapping[str, F32], samples: F32) -> F32:
    """Return the largest output of each hidden unit at any time step, ``(units,)``."""
    states = hidden_states(weights, "SimpleRNN", samples)
    largest: F32 = np.max([state.max(axis=0) for state in states], 0)
    return largest


def _power_above(values: F32) -> F32:
    """Return the smallest powers of two that are no smaller."""
    powers: F32 = np.exp2(np.ceil(np.log2(values))).astype(np.float32)
    return powers


def is_sign_and_shift(quantizer: Quantizer) -> bool:
    """Whether a quantizer rounds the only weight of a channel to ``±2**n``, any n in its range."""
    arguments = quantizer.arguments
    if any(arguments.get(flag) for flag in _OTHER_VALUES):
        return False
    if quantizer.name == "binary":
        return arguments.get("alpha") == "auto_po2"
    return quantizer.name == "quantized_po2"


def kernel_of_powers_of_two(weights: Mapping[str, F32]) -> Weights:
    """Return the weights of the same SimpleRNN whose kernel has powers of two only.

    There is one sample a time step, so each hidden unit has one weight in the kernel, and its
    free factor can make that one ``±2**n``: a quantizer that allows nothing else then loses
    nothing. Factors lie between 2**-0.5 and 2**0.5, and so a unit may go beyond 1 that did not
    before; the output changes by rounding in float32.

    Parameters
    ----------
    weights
        Of a SimpleRNN with ReLU, by ``layer/tensor``; the kernel is ``(1, units)``.
    """
    size = np.abs(weights[KERNEL][0])
    nearest = np.exp2(np.rint(np.log2(np.where(size > 0, size, 1))))
    return _divided(weights, np.where(size > 0, size / nearest, 1).astype(np.float32))


def _divided(weights: Mapping[str, F32], factor: F32) -> Weights:
    """Divide what each hidden unit puts out by its `factor` ``(units,)``."""
    return {
        KERNEL: weights[KERNEL] / factor,
        "rnn/recurrent_kernel": weights["rnn/recurrent_kernel"] * (factor[:, None] / factor),
        "rnn/bias": weights["rnn/bias"] / factor,
        "dense/kernel": weights["dense/kernel"] * factor[:, None],
        "dense/bias": weights["dense/bias"],
    }
