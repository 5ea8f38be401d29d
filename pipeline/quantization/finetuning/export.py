"""From a frozen QKeras network of any cell to integers: ``models/integer.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base.architecture import Architecture
from pipeline.base.fixed_point_type import MAX_BITS, MAX_FRACTION_BITS, FixedPointType
from pipeline.integers.layers import DenseLayer, GatedLayer, IntegerTensor, SimpleRnnLayer
from pipeline.integers.network import IntegerNetwork
from pipeline.quantizers.hardware import stored_type
from pipeline.quantizers.quantizer import Quantizer, QuantizerError


def to_integer_network(
    architecture: Architecture,
    weights: Mapping[str, NDArray[Any]],
    quantizers: Mapping[str, Quantizer],
    et_scale_gev: float,
) -> IntegerNetwork:
    """Express quantized weights and activation types as integers.

    Parameters
    ----------
    architecture
        Cell and time steps.
    weights
        Values on their quantizers' grids, as `freeze` leaves them, by tensor.
    quantizers
        By tensor; see `Architecture.tensors`.
    et_scale_gev
        What E_T was divided by.
    """

    def kind(name: str) -> FixedPointType:
        return stored_type(architecture, name, quantizers[name], name)

    dense = DenseLayer(
        name="dense",
        **_weight_tensors(weights, quantizers, "dense"),
        activation=kind("dense/activation"),
    )
    tensors = _weight_tensors(weights, quantizers, "rnn")
    if not architecture.gated:
        rnn = SimpleRnnLayer(
            name="rnn", **tensors, state=kind("rnn/state"), activation=kind("rnn/activation")
        )
        return IntegerNetwork(
            window_length=architecture.window_length,
            et_scale_gev=et_scale_gev,
            input=kind("input"),
            layers=[rnn, dense],
        )
    gated = GatedLayer(
        kind="lstm" if architecture.cell == "LSTM" else "gru",
        name="rnn",
        **tensors,
        state=kind("rnn/state"),
        tanh=kind("rnn/activation"),
        sigmoid=kind("rnn/recurrent_activation"),
    )
    return IntegerNetwork(
        window_length=architecture.window_length,
        et_scale_gev=et_scale_gev,
        input=kind("input"),
        layers=[gated, dense],
    )


def _weight_tensors(
    weights: Mapping[str, NDArray[Any]], quantizers: Mapping[str, Quantizer], layer: str
) -> dict[str, Any]:
    """Return the `IntegerTensor` of each weight of one layer, by name in the layer."""
    return {
        name.removeprefix(f"{layer}/"): integer_tensor(values, quantizers[name].text, name)
        for name, values in weights.items()
        if name.startswith(f"{layer}/")
    }


def integer_tensor(values: NDArray[Any], quantizer: str, name: str) -> IntegerTensor:
    """Return the smallest signed type that holds quantized values, and the integers.

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
    for bits in range(-MAX_FRACTION_BITS, MAX_FRACTION_BITS + 1):
        scaled = values * 2.0**bits
        if np.array_equal(scaled, np.rint(scaled)):
            return bits
    raise QuantizerError(
        f"{name}: the values of {quantizer} are no fixed-point numbers; "
        "use a quantizer with a power-of-two scale (alpha=1 or 'auto_po2')"
    )
