"""An LSTM or a GRU for hls4ml's own recurrent templates: layers and types.

The templates (``nnet_recurrent.h``) differ from QKeras in what cannot be set from outside:

- sigmoid and tanh are tables over [-8, 8) and [-4, 4); AMD's take the entry towards 0, Intel's
  the middle of a bin. One type serves both tables: the finer of the two quantisers' types;
- h and c are kept in one type, and AMD's LSTM takes tanh of the rounded c;
- a GRU's reset gate scales ``U h + b_r``, whatever ``apply_reset_gate`` says;
- everything between them is of the accumulator's type. Here it holds every sum and product
  exactly, so nothing more is lost.

Intel's have one type for kernel and recurrent kernel, and one for both biases.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.base.arrays import F64
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.firmware.hls.graph import (
    INPUT,
    HlsGraph,
    HlsGraphError,
    add_dense_layers,
    check_ends,
    real_weights,
)
from pipeline.integers.accumulators import Accumulator
from pipeline.integers.layers import GatedLayer
from pipeline.integers.lossless import common_type, exact_type, lossless_type
from pipeline.integers.network import IntegerNetwork

_LSTM_PARTS = "ifco"


def build_gated_graph(network: IntegerNetwork, table_size: int, intel: bool) -> HlsGraph:
    """Describe a gated network for hls4ml.

    Parameters
    ----------
    network
        One with an LSTM or a GRU.
    table_size
        Entries of the tables of sigmoid and tanh: a power of two up to 32768, because Intel's
        template counts entries in 16 bits with a sign.
    intel
        Whether it is for one of Intel's compilers.

    Raises
    ------
    HlsGraphError, AccumulatorError, FixedPointError
        If a type gets too large, or is one of powers of two inside the cell.
    """
    rnn = network.gated
    for name in ("state", "tanh", "sigmoid"):
        if getattr(rnn, name).powers_of_two:
            raise HlsGraphError(
                f"{rnn.name}: {name}: expected a type that rounds to its step, found one of powers "
                "of two: hls4ml's LSTM and GRU round inside their templates"
            )
    widths = {accumulator.name: accumulator for accumulator in network.accumulators}
    graph = HlsGraph([], {}, {}, recurrent=rnn.kind.upper())
    graph.layers.append(
        {"class_name": "InputLayer", "name": INPUT, "input_shape": [network.window_length, 1]}
    )
    graph.precisions[INPUT] = {"result": network.input}
    weights = _weights(rnn)
    graph.layers.append(_recurrent_layer(rnn, network.window_length, weights, table_size))
    graph.precisions[rnn.name] = _types(rnn, weights, widths[rnn.name], intel)
    add_dense_layers(graph, rnn.name, network.dense, widths)
    check_ends(network)
    return graph


def _recurrent_layer(
    rnn: GatedLayer, steps: int, weights: dict[str, F64], table_size: int
) -> dict[str, Any]:
    return {
        "class_name": rnn.kind.upper(),
        "name": rnn.name,
        "inputs": [INPUT],
        "n_timesteps": steps,
        "n_in": rnn.kernel.array.shape[0],
        "n_out": rnn.units,
        "activation": "tanh",
        "recurrent_activation": "sigmoid",
        "return_sequences": False,
        "return_state": False,
        "table_size": table_size,
        **{f"{name}_data": values for name, values in weights.items()},
        **({"apply_reset_gate": "after"} if rnn.kind == "gru" else {}),
    }


def _weights(rnn: GatedLayer) -> dict[str, F64]:
    """Return the weights under hls4ml's names; an LSTM has one bias, hls4ml adds zeros."""
    weights = {
        "weight": real_weights(rnn.kernel),
        "recurrent_weight": real_weights(rnn.recurrent_kernel),
    }
    bias = real_weights(rnn.bias)
    if rnn.kind == "gru":
        return weights | {"bias": bias[0], "recurrent_bias": bias[1]}
    return weights | {"bias": bias}


def _types(
    rnn: GatedLayer, weights: dict[str, F64], total: Accumulator, intel: bool
) -> dict[str, FixedPointType]:
    """Return hls4ml's precisions of the recurrent layer."""
    table = common_type(rnn.sigmoid, rnn.tanh).model_copy(
        update={"rounding": "RND_CONV", "overflow": "SAT"}
    )
    types = {name: exact_type(values) for name, values in weights.items()}
    types.setdefault("recurrent_bias", exact_type(np.zeros(1)))
    if intel:
        kernel = common_type(types["weight"], types["recurrent_weight"])
        bias = common_type(types["bias"], types["recurrent_bias"])
        types = {"weight": kernel, "recurrent_weight": kernel, "bias": bias, "recurrent_bias": bias}
        if rnn.kind == "lstm":
            types |= {f"weight_{part}": kernel for part in _LSTM_PARTS}
            types |= {f"recurrent_weight_{part}": kernel for part in _LSTM_PARTS}
            types |= {f"bias_{part}": bias for part in _LSTM_PARTS}
    return types | {"table": table, "accum": _accumulator(rnn, table, total), "result": rnn.state}


def _accumulator(rnn: GatedLayer, table: FixedPointType, total: Accumulator) -> FixedPointType:
    """Return a type for the sums, the gates and the products that a template stores in it.

    A GRU stores r (U h + b_r), Intel's LSTM i g, f c, their sum and o tanh(c). A gate is at
    most 1 and c in the state's type, so one bit more than both holds their sums.
    """
    sums = lossless_type(True, total.bits, total.fraction_bits)
    products = (
        [sums.fraction_bits + table.fraction_bits]
        if rnn.kind == "gru"
        else [2 * table.fraction_bits, rnn.state.fraction_bits + table.fraction_bits]
    )
    fraction_bits = max(sums.fraction_bits, table.fraction_bits, *products)
    whole = max(of.bits - of.fraction_bits for of in (sums, table, rnn.state)) + 1
    return lossless_type(True, whole + fraction_bits, fraction_bits)
