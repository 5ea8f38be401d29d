"""From a frozen QKeras network of any cell to integers: ``models/integer.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.layers import GatedLayer
from pipeline.integers.network import IntegerNetwork
from pipeline.quantization.finetuning.export import dense_layer, to_integer_network, weight_tensors
from pipeline.quantization.quantizers.hardware import stored_type
from pipeline.quantization.quantizers.quantizer import Quantizer


def to_hardware_network(
    cell: str,
    weights: Mapping[str, NDArray[Any]],
    quantizers: Mapping[str, Quantizer],
    window_length: int,
    et_scale_gev: float,
) -> IntegerNetwork:
    """Express quantised weights and activation types as integers.

    Parameters
    ----------
    cell
        ``train.cell``.
    weights
        Values on their quantisers' grids, as `freeze` leaves them, by tensor.
    quantizers
        By tensor; see `pipeline.base.architecture.quantized_tensors`.
    window_length
        L, time steps.
    et_scale_gev
        What E_T was divided by.
    """
    if cell == "SimpleRNN":
        return to_integer_network(weights, quantizers, window_length, et_scale_gev)

    def kind(name: str) -> FixedPointType:
        return stored_type(cell, name, quantizers[name], name)

    rnn = GatedLayer(
        kind="lstm" if cell == "LSTM" else "gru",
        name="rnn",
        **weight_tensors(weights, quantizers, "rnn"),
        state=kind("rnn/state"),
        tanh=kind("rnn/activation"),
        sigmoid=kind("rnn/recurrent_activation"),
    )
    return IntegerNetwork(
        window_length=window_length,
        et_scale_gev=et_scale_gev,
        input=kind("input"),
        layers=[rnn, dense_layer(weights, quantizers)],
    )
