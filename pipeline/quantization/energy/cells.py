"""Arithmetic of a SimpleRNN, LSTM or GRU layer over all its time steps.

With T time steps, u units, g gates and d features every cell costs

- T d g u multiply-accumulates with the kernel,
- (T - 1) u g u multiply-accumulates with the recurrent kernel, and
- (T - 1) g u additions that join both sums,

because the state starts at 0: the first step has no recurrent part. LSTM and
GRU add the element-wise products and sums written at their functions.
Activation functions cost nothing, as in QTools. The bias is added inside the
accumulator: it makes the sum wider, but is no separate addition, as in QTools.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.base.architecture import GATES
from pipeline.quantization.energy.description import RecurrentDescription, Shape
from pipeline.quantization.energy.number_types import NumberType
from pipeline.quantization.energy.operators import Arithmetic, Operation


@dataclass(frozen=True)
class CellTypes:
    """Types of the tensors of a recurrent layer, none left open."""

    input: NumberType
    kernel: NumberType
    recurrent_kernel: NumberType
    state: NumberType
    activation: NumberType
    recurrent_activation: NumberType


@dataclass(frozen=True)
class Work:
    """All operations of a layer in one inference.

    Attributes
    ----------
    op_cost
        Energy of all operations, pJ.
    macs
        Multiply-accumulates with a weight.
    products
        Element-wise products, which have no weight.
    result
        Type of what the layer puts out when nothing quantizes it.
    """

    op_cost: float
    macs: int
    products: int
    result: NumberType


def cell_work(layer: RecurrentDescription, types: CellTypes, arithmetic: Arithmetic) -> Work:
    """Sum the operations of one recurrent layer; formulas in the module's docstring."""
    return _CELLS[layer.cell](layer, types, arithmetic)


def _simple_rnn(layer: RecurrentDescription, types: CellTypes, arithmetic: Arithmetic) -> Work:
    """Sum up h = activation(W x + U h + b)."""
    sums = _gate_sums(layer, types, arithmetic)
    return Work(sums, _kernel_macs(layer) + _recurrent_macs(layer), 0, types.activation)


def _lstm(layer: RecurrentDescription, types: CellTypes, arithmetic: Arithmetic) -> Work:
    """Sum up c = f * c + i * g, h = o * activation(c); i, f, o gates, g an activation.

    A unit's products: i g and o activation(c) in T steps, f c in T - 1, since
    c starts at 0; its additions of products: T - 1.
    """
    sums = _gate_sums(layer, types, arithmetic)
    forget = arithmetic.multiply(types.recurrent_activation, types.state)
    candidate = arithmetic.multiply(types.recurrent_activation, types.activation)
    carry = arithmetic.add(forget.result, candidate.result)
    output = arithmetic.multiply(types.recurrent_activation, types.activation)
    later = _later(layer)
    elementwise = layer.units * (
        later * (forget.energy + carry.energy)
        + layer.timesteps * (candidate.energy + output.energy)
    )
    products = layer.units * (later + 2 * layer.timesteps)
    macs = _kernel_macs(layer) + _recurrent_macs(layer)
    return Work(sums + elementwise, macs, products, arithmetic.operand(output.result))


def _gru(layer: RecurrentDescription, types: CellTypes, arithmetic: Arithmetic) -> Work:
    """Sum up h = z * h + (1 - z) * g; z, r gates, g the candidate activation.

    A unit's products: z h in T - 1 steps, (1 - z) g in T, and the reset gate's;
    its additions: 1 - z in T steps, the two products in T - 1.
    """
    sums, resets = (_reset_after if layer.reset_after else _reset_before)(layer, types, arithmetic)
    keep = arithmetic.multiply(types.recurrent_activation, types.state)
    complement = arithmetic.add(types.recurrent_activation, types.recurrent_activation)
    renew = arithmetic.multiply(arithmetic.operand(complement.result), types.activation)
    mix = arithmetic.add(keep.result, renew.result)
    later = _later(layer)
    elementwise = layer.units * (
        later * (keep.energy + mix.energy) + layer.timesteps * (complement.energy + renew.energy)
    )
    products = resets + layer.units * (later + layer.timesteps)
    macs = _kernel_macs(layer) + _recurrent_macs(layer)
    return Work(sums + elementwise, macs, products, arithmetic.operand(mix.result))


def _reset_before(
    layer: RecurrentDescription, types: CellTypes, arithmetic: Arithmetic
) -> tuple[float, int]:
    """Sum up g = activation(W x + U (r h) + b), with z and r: pJ, reset products."""
    resets = _later(layer) * layer.units
    reset = arithmetic.multiply(types.recurrent_activation, types.state)
    kernel = _kernel_sum(layer, types, arithmetic)
    gates = _recurrent_sum(layer, types, arithmetic, types.state)
    candidate = _recurrent_sum(layer, types, arithmetic, arithmetic.operand(reset.result))
    per_gate = _later(layer) * layer.units
    op_cost = _kernel_macs(layer) * kernel.energy + resets * reset.energy
    for recurrent in (gates, gates, candidate):
        join = arithmetic.join(kernel.result, recurrent.result)
        op_cost += per_gate * (layer.units * recurrent.energy + join.energy)
    return op_cost, resets


def _reset_after(
    layer: RecurrentDescription, types: CellTypes, arithmetic: Arithmetic
) -> tuple[float, int]:
    """Sum up g = activation(W x + b + r (U h + b_r)), with z and r: pJ, reset products.

    With a bias r b_r is there in the first step too; z and r then need nothing
    more, because b + b_r is one constant.
    """
    steps = layer.timesteps if layer.use_bias else _later(layer)
    kernel = _kernel_sum(layer, types, arithmetic)
    recurrent = _recurrent_sum(layer, types, arithmetic, types.state)
    reset = arithmetic.multiply(types.recurrent_activation, arithmetic.operand(recurrent.result))
    join = arithmetic.join(kernel.result, recurrent.result)
    candidate_join = arithmetic.join(kernel.result, reset.result)
    op_cost = (
        _kernel_macs(layer) * kernel.energy
        + _recurrent_macs(layer) * recurrent.energy
        + 2 * _later(layer) * layer.units * join.energy
        + steps * layer.units * (reset.energy + candidate_join.energy)
    )
    return op_cost, steps * layer.units


def _gate_sums(layer: RecurrentDescription, types: CellTypes, arithmetic: Arithmetic) -> float:
    """Sum up kernel, recurrent kernel and their joins over all gates, pJ."""
    kernel = _kernel_sum(layer, types, arithmetic)
    recurrent = _recurrent_sum(layer, types, arithmetic, types.state)
    join = arithmetic.join(kernel.result, recurrent.result)
    return (
        _kernel_macs(layer) * kernel.energy
        + _recurrent_macs(layer) * recurrent.energy
        + _later(layer) * GATES[layer.cell] * layer.units * join.energy
    )


def _kernel_sum(layer: RecurrentDescription, types: CellTypes, arithmetic: Arithmetic) -> Operation:
    kernel: Shape = layer.weight_shapes["kernel"]
    return arithmetic.multiply_accumulate(types.kernel, types.input, kernel)


def _recurrent_sum(
    layer: RecurrentDescription, types: CellTypes, arithmetic: Arithmetic, state: NumberType
) -> Operation:
    kernel: Shape = layer.weight_shapes["recurrent_kernel"]
    return arithmetic.multiply_accumulate(types.recurrent_kernel, state, kernel)


def _kernel_macs(layer: RecurrentDescription) -> int:
    return layer.timesteps * layer.features * GATES[layer.cell] * layer.units


def _recurrent_macs(layer: RecurrentDescription) -> int:
    return _later(layer) * layer.units * GATES[layer.cell] * layer.units


def _later(layer: RecurrentDescription) -> int:
    """Return the number of steps after the first."""
    return layer.timesteps - 1


_CELLS: Mapping[str, Callable[[RecurrentDescription, CellTypes, Arithmetic], Work]] = {
    "SimpleRNN": _simple_rnn,
    "LSTM": _lstm,
    "GRU": _gru,
}
