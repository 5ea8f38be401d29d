"""From a frozen QKeras network to integers: ``models/integer.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base.fixed_point_type import MAX_BITS, FixedPointType
from pipeline.integers.layers import DenseLayer, IntegerTensor, SimpleRnnLayer
from pipeline.integers.network import IntegerNetwork
from pipeline.quantization.quantizers.hardware import activation_type
from pipeline.quantization.quantizers.quantizer import Quantizer, QuantizerError

_MAX_FRACTION_BITS = 40


def to_integer_network(
    weights: Mapping[str, NDArray[Any]],
    quantizers: Mapping[str, Quantizer],
    window_length: int,
    et_scale_gev: float,
) -> IntegerNetwork:
    """Express quantised weights and activation types as integers.

    Parameters
    ----------
    weights
        Values on their quantisers' grids, as `freeze` leaves them, by tensor.
    quantizers
        By tensor; see `pipeline.quantization.training.network.quantized_tensors`.
    window_length
        L, time steps.
    et_scale_gev
        What E_T was divided by.
    """

    def kind(name: str) -> FixedPointType:
        return activation_type(quantizers[name], name)

    rnn = SimpleRnnLayer(
        name="rnn",
        **weight_tensors(weights, quantizers, "rnn"),
        state=kind("rnn/state"),
        activation=kind("rnn/activation"),
    )
    return IntegerNetwork(
        window_length=window_length,
        et_scale_gev=et_scale_gev,
        input=kind("input"),
        layers=[rnn, dense_layer(weights, quantizers)],
    )


def dense_layer(
    weights: Mapping[str, NDArray[Any]], quantizers: Mapping[str, Quantizer]
) -> DenseLayer:
    """Return the output layer; arguments as `to_integer_network`."""
    activation = activation_type(quantizers["dense/activation"], "dense/activation")
    return DenseLayer(
        name="dense", **weight_tensors(weights, quantizers, "dense"), activation=activation
    )


def weight_tensors(
    weights: Mapping[str, NDArray[Any]], quantizers: Mapping[str, Quantizer], layer: str
) -> dict[str, Any]:
    """Return the `IntegerTensor` of each weight of one layer; arguments as `to_integer_network`."""
    return {
        name.removeprefix(f"{layer}/"): integer_tensor(values, quantizers[name].text, name)
        for name, values in weights.items()
        if name.startswith(f"{layer}/")
    }


def integer_tensor(values: NDArray[Any], quantizer: str, name: str) -> IntegerTensor:
    """Return the smallest signed type that holds quantised values, and the integers.

    Raises
    ------
    QuantizerError
        If the values are no multiples of a power of two above 2**-40, or so large beside
        that one that they need more bits than a type may have.
        (`check_exportable` refuses scales that are no power of two: many of
        their values would pass here, in types of 24 bits and more.)
    """
    exact = np.asarray(values, dtype=np.float64)
    fraction_bits = _fraction_bits(exact, quantizer, name)
    scaled = exact * 2.0**fraction_bits
    # As Python integers, which know no overflow; int64 only once it is known to hold them.
    bits = 1 + max(int(scaled.max()), -int(scaled.min()) - 1).bit_length()
    if bits > MAX_BITS:
        raise QuantizerError(
            f"{name}: the values of {quantizer} need {bits} bits, a type has at most {MAX_BITS}"
        )
    integers = scaled.astype(np.int64)
    kind = FixedPointType(signed=True, bits=bits, fraction_bits=fraction_bits)
    return IntegerTensor(type=kind, integers=integers.tolist(), quantizer=quantizer)


def _fraction_bits(values: NDArray[np.float64], quantizer: str, name: str) -> int:
    """Return the least number of fraction bits that makes all values integers."""
    if not np.isfinite(values).all():
        raise QuantizerError(f"{name}: expected finite values of {quantizer}")
    if not values.any():
        return 0
    for bits in range(-_MAX_FRACTION_BITS, _MAX_FRACTION_BITS + 1):
        scaled = values * 2.0**bits
        if np.array_equal(scaled, np.rint(scaled)):
            return bits
    raise QuantizerError(
        f"{name}: the values of {quantizer} are no fixed-point numbers; "
        "use a quantiser with a power-of-two scale (alpha=1 or 'auto_po2')"
    )
