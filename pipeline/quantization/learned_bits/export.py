"""Networks whose bits were learned, as integers: one binary point, bits of every hidden unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.layers import DenseLayer, SimpleRnnLayer
from pipeline.integers.network import IntegerNetwork
from pipeline.networks.stack.learned_network import RoundedNetwork, ValueBits
from pipeline.networks.stack.stack import Weights
from pipeline.quantization.finetuning.export import integer_tensor

_LEARNED = "learned"


def integer_network(
    network: RoundedNetwork,
    window_length: int,
    et_scale_gev: float,
    values: ValueBits | None = None,
) -> IntegerNetwork:
    """Express a network with learned bits as integers.

    A hidden value is a multiple of a step of its own. Dividing what a unit puts out by a power
    of two, and multiplying what reads it, gives all units the same step: they differ in their
    largest value only. Units that are always 0 are left out, the others stand by falling bits.

    Parameters
    ----------
    network
        Rounded weights, and bits of the units.
    window_length
        Time steps.
    et_scale_gev
        What E_T was divided by.
    values
        Bits that were not learned.

    Raises
    ------
    ValueError
        If all units are always 0.
    """
    values = values or ValueBits()
    order = np.argsort(-network.unit_bits, kind="stable")
    order = order[network.unit_bits[order] > 0]
    if not order.size:
        raise ValueError("all hidden units are 0 in every step: there is no network")
    bits = network.unit_bits[order]
    point = int(bits.max())
    weights = _of_units(network.weights, order)
    out = np.exp2(bits - point).astype(np.float32)
    weights["rnn/kernel"] *= out
    weights["rnn/bias"] *= out
    weights["rnn/recurrent_kernel"] *= out / out[:, None]
    weights["dense/kernel"] /= out[:, None]
    tensors = {name: integer_tensor(value, _LEARNED, name) for name, value in weights.items()}
    hidden = FixedPointType(signed=False, bits=point, fraction_bits=point, rounding="RND")
    rnn = SimpleRnnLayer(
        name="rnn",
        kernel=tensors["rnn/kernel"],
        recurrent_kernel=tensors["rnn/recurrent_kernel"],
        bias=tensors["rnn/bias"],
        state=hidden,
        activation=hidden,
        unit_bits=bits.tolist() if np.any(bits < point) else None,
    )
    dense = DenseLayer(
        name="dense",
        kernel=tensors["dense/kernel"],
        bias=tensors["dense/bias"],
        activation=FixedPointType(
            signed=False, bits=values.output, fraction_bits=values.output, rounding="RND"
        ),
    )
    sample = FixedPointType(signed=True, bits=values.sample + 1, fraction_bits=values.sample)
    return IntegerNetwork(
        window_length=window_length, et_scale_gev=et_scale_gev, input=sample, layers=[rnn, dense]
    )


def _of_units(weights: Weights, units: NDArray[np.int64]) -> Weights:
    """Return copies of the weights of some hidden units, in their order."""
    return {
        "rnn/kernel": weights["rnn/kernel"][:, units],
        "rnn/recurrent_kernel": weights["rnn/recurrent_kernel"][np.ix_(units, units)],
        "rnn/bias": weights["rnn/bias"][units],
        "dense/kernel": weights["dense/kernel"][units],
        "dense/bias": weights["dense/bias"].copy(),
    }
