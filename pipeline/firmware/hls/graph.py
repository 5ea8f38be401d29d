"""The network unrolled in time, as the layer list and precisions that hls4ml takes.

hls4ml 1.3.0 accepts a SimpleRNN for Vivado and Vitis, has no template for it and
returns uninitialised memory. Therefore each step becomes a Dense layer on
``[window, state]`` whose kernel rows of the other steps' samples are 0 (synthesis
removes them). A Dense layer's result type does the rounding: an unsigned
saturating type is the quantized ReLU. Where the state's type differs from the
activation's, a linear Activation rounds once more. Where units have bits of their own, each run
of units of one type is a Dense layer, and their results are concatenated. A type of powers of
two is no result type of C++'s: the Dense layer returns its sum, and an Activation with a
function of our own rounds it.

Nothing here imports hls4ml.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from pipeline.base.arrays import F64
from pipeline.base.errors import PipelineError
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.firmware.hls.templates.power_of_two import FUNCTION
from pipeline.integers.accumulators import Accumulator
from pipeline.integers.fixed_point import MANTISSA_BITS
from pipeline.integers.layers import DenseLayer, IntegerTensor, SimpleRnnLayer
from pipeline.integers.lossless import common_type, exact_type, lossless_type
from pipeline.integers.network import IntegerNetwork

INPUT = "window"

_RECURRENT = re.compile(r"RNN|LSTM|GRU|Bidirectional|TimeDistributed", re.IGNORECASE)


class HlsGraphError(PipelineError):
    """A network that cannot be expressed for hls4ml without changing its numbers."""


@dataclass(frozen=True)
class HlsGraph:
    """Layers for `hls4ml.model.ModelGraph.from_layer_list`, types, and golden names.

    Attributes
    ----------
    layers
        hls4ml's layer dictionaries, input first, output last.
    precisions
        Per layer: ``result`` and, for Dense, ``weight``, ``bias``, ``accum``.
    golden_names
        Per layer with an own tensor: the name in `pipeline.integers.golden.evaluate_tensors`.
    recurrent
        Class of the one recurrent layer that hls4ml's own template is to evaluate, if any;
        see `pipeline.firmware.hls.gated_graph`.
    """

    layers: list[dict[str, Any]]
    precisions: dict[str, dict[str, FixedPointType]]
    golden_names: dict[str, str]
    recurrent: str | None = None


def build_graph(network: IntegerNetwork) -> HlsGraph:
    """Unroll a network.

    Raises
    ------
    HlsGraphError, AccumulatorError, FixedPointError
        If a type exceeds the 53 bits that pass through the C++ simulation's
        doubles, or a sum may overflow int64.
    """
    widths = {accumulator.name: accumulator for accumulator in network.accumulators}
    graph = HlsGraph([], {}, {INPUT: "input"})
    graph.layers.append(
        {"class_name": "InputLayer", "name": INPUT, "input_shape": [network.window_length]}
    )
    graph.precisions[INPUT] = {"result": network.input}
    add_dense_layers(graph, _add_steps(graph, network, widths), network.dense, widths)
    check_ends(network)
    refuse_recurrent(graph.layers)
    return graph


def add_dense_layers(
    graph: HlsGraph, source: str, layers: Sequence[DenseLayer], widths: Mapping[str, Accumulator]
) -> None:
    """Add the network's Dense layers behind the layer `source`."""
    for index, layer in enumerate(layers):
        name = f"dense{index}"
        kernel, bias = real_weights(layer.kernel), real_weights(layer.bias)
        _add_dense(graph, name, source, kernel, bias, layer.activation, widths[layer.name])
        graph.golden_names[name] = f"{layer.name}.activation"
        source = name


def check_ends(network: IntegerNetwork) -> None:
    """Raise an `HlsGraphError` if input or output do not pass through doubles.

    Nor may the input be rounded to powers of two: samples come as the type's own bits.
    """
    if network.input.powers_of_two:
        raise HlsGraphError(
            "input: expected a type that rounds to its step, found one of powers of two: no "
            "layer comes before it that could round"
        )
    for end in (network.input, network.output):
        if end.bits > MANTISSA_BITS:
            raise HlsGraphError(
                f"input and output types are limited to {MANTISSA_BITS} bits, found {end.bits}"
            )


def refuse_recurrent(layers: Sequence[Mapping[str, Any]], allowed: str | None = None) -> None:
    """Raise an `HlsGraphError` if any layer is recurrent, but of the class `allowed`.

    See the module docstring.
    """
    for layer in layers:
        if layer["class_name"] != allowed and _RECURRENT.search(layer["class_name"]):
            raise HlsGraphError(
                f"layer {layer['name']!r} is a {layer['class_name']}: hls4ml converts recurrent "
                "layers for Vivado and Vitis into code that returns uninitialised memory; "
                "unroll the network in time first"
            )


def _add_steps(graph: HlsGraph, network: IntegerNetwork, widths: dict[str, Accumulator]) -> str:
    """Add one Dense layer per step; return the name of the last."""
    rnn, length = network.rnn, network.window_length
    kernel, recurrent = real_weights(rnn.kernel), real_weights(rnn.recurrent_kernel)
    name = source = INPUT
    for step in range(length):
        rows = np.zeros((length, kernel.shape[1]))
        rows[step] = kernel[0]
        if step > 0:
            source = _add_state(graph, network, step - 1, name)
            rows = np.concatenate([rows, recurrent])
        name = f"step{step}"
        bias = real_weights(rnn.bias) if step > 0 else _first_bias(rnn)
        _add_units(graph, name, source, rows, bias, rnn, widths[f"{rnn.name}.step{step}"])
        graph.golden_names[name] = f"{rnn.name}.step{step}.activation"
    return name


def _add_units(
    graph: HlsGraph,
    name: str,
    source: str,
    kernel: F64,
    bias: F64,
    rnn: SimpleRnnLayer,
    accumulator: Accumulator,
) -> None:
    """Add a step: a Dense layer for each run of units of one type, put together as `name`."""
    runs = [list(run) for _, run in groupby(enumerate(rnn.unit_types), itemgetter(1))]
    if len(runs) == 1:
        _add_dense(graph, name, source, kernel, bias, runs[0][0][1], accumulator)
        return
    before = ""
    for run in runs:
        (first, to), end = run[0], run[-1][0] + 1
        part, columns = f"{name}_unit{first}", slice(first, end)
        _add_dense(graph, part, source, kernel[:, columns], bias[columns], to, accumulator)
        if before:
            joined = name if end == rnn.units else f"{name}_units{end}"
            _add_concatenation(graph, joined, before, part, rnn.activation)
        before = joined if before else part


def _first_bias(rnn: SimpleRnnLayer) -> F64:
    """Bias of the first step, (units,): with what the state adds that 0 is rounded to."""
    if not rnn.state.rounded_zero:
        return real_weights(rnn.bias)
    constants = rnn.first_constants()
    finest = max(point for _, point in constants)
    total = np.sum([integers << (finest - point) for integers, point in constants], axis=0)
    real: F64 = total.astype(np.float64)
    if np.any(real.astype(np.int64) != total):
        raise HlsGraphError(
            f"{rnn.name}: bias and state at the start add up to more than {MANTISSA_BITS} bits"
        )
    return np.ldexp(real, -finest)


def _add_state(graph: HlsGraph, network: IntegerNetwork, step: int, hidden: str) -> str:
    """Add the state after a step and its concatenation with the window; return the latter."""
    rnn = network.rnn
    state = hidden
    if rnn.state != rnn.activation:
        state = f"state{step}"
        _add_activation(graph, state, hidden, rnn.state, rnn.units)
        graph.golden_names[state] = f"{rnn.name}.step{step}.state"
    joined = f"join{step + 1}"
    _add_concatenation(graph, joined, INPUT, state, common_type(network.input, rnn.state))
    return joined


def _add_concatenation(
    graph: HlsGraph, name: str, first: str, second: str, of: FixedPointType
) -> None:
    """Put the outputs of two layers behind one another, in a type that holds both exactly."""
    graph.layers.append(
        {
            "class_name": "Concatenate",
            "name": name,
            "inputs": [first, second],
            "axis": -1,
            "op": "concatenate1d",
        }
    )
    graph.precisions[name] = {"result": lossless_type(of.signed, of.bits, of.fraction_bits)}


def _add_activation(
    graph: HlsGraph, name: str, source: str, to: FixedPointType, units: int
) -> None:
    """Add an Activation that does nothing but round into a type."""
    graph.layers.append(
        {
            "class_name": "Activation",
            "name": name,
            "activation": FUNCTION if to.powers_of_two else "linear",
            "inputs": [source],
            "n_in": units,
        }
    )
    graph.precisions[name] = {"result": to}


def _add_dense(
    graph: HlsGraph,
    name: str,
    source: str,
    kernel: F64,
    bias: F64,
    to: FixedPointType,
    accumulator: Accumulator,
) -> None:
    """Add a Dense layer and, for powers of two, what rounds its sum; `name` is the last of them."""
    total = lossless_type(True, accumulator.bits, accumulator.fraction_bits)
    result = to
    if result.powers_of_two:
        last, name, result = name, f"{name}_sum", total
    graph.layers.append(
        {
            "class_name": "Dense",
            "name": name,
            "inputs": [source],
            "n_in": kernel.shape[0],
            "n_out": kernel.shape[1],
            "weight_data": kernel,
            "bias_data": bias,
            "weight_quantizer": None,
            "bias_quantizer": None,
        }
    )
    graph.precisions[name] = {
        "weight": exact_type(kernel),
        "bias": exact_type(bias),
        "accum": total,
        "result": result,
    }
    if to.powers_of_two:
        _add_activation(graph, last, name, to, kernel.shape[1])


def real_weights(tensor: IntegerTensor) -> F64:
    """Return weights as float64; refuses integers that float64 does not hold."""
    integers = tensor.array
    if tensor.type.bits > MANTISSA_BITS:
        raise HlsGraphError(
            f"weights are limited to {MANTISSA_BITS} bits, found {tensor.type.bits}"
        )
    real: F64 = np.ldexp(integers.astype(np.float64), -tensor.type.fraction_bits)
    return real
