"""Energy of one arithmetic operation and of one memory access, in pJ, from QTools.

Widths and kinds of operators (multiplier, shifter, multiplexer, gate) come from
QTools' factories, energies from its table of M. Horowitz, "Computing's energy
problem", ISSCC 2014 (45 nm). Nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.quantization.energy.description import EnergyError, Shape
from pipeline.quantization.energy.qtools import (
    OP,
    AccumulatorFactory,
    FloatingPoint,
    IAdder,
    IQuantizer,
    MultiplierFactory,
    cfg,
    config_settings,
    get_op_type,
    memory_read_energy,
    memory_write_energy,
)


@contextmanager
def technology(process: str) -> Iterator[None]:
    """Put a process' table into QTools' global settings, and back what was there.

    QTools reads its table from one global object that starts with other SRAM
    figures than the ones every later `QTools(...)` sets, so the same call would
    answer differently before and after. Not for use from several threads.

    Raises
    ------
    EnergyError
        If QTools has no such process; by itself it would go on with any table.
    """
    if process not in config_settings:
        raise EnergyError(f"energy.process: QTools has no table for {process!r}")
    before = dict(vars(cfg))
    vars(cfg).update(vars(type(cfg)()))  # nothing that other code has set stays
    cfg.update(process, config_settings)
    try:
        yield
    finally:
        vars(cfg).update(before)


def counted_parts(class_name: str) -> tuple[str, ...]:
    """Return which parts of a layer QTools adds up: `include_energy` of its settings."""
    return tuple(cfg.include_energy.get(class_name, cfg.include_energy["default"]))


@dataclass(frozen=True)
class Operation:
    """Energy of one operation in pJ, and the type of its result."""

    energy: float
    result: IQuantizer


@dataclass(frozen=True)
class Arithmetic:
    """Prices operations between quantised values.

    Attributes
    ----------
    internal, accumulator
        Set for a layer without quantisers: what meets a multiplier inside the
        layer is of type `internal`, what leaves a multiplier or an adder of
        type `accumulator`, as in QTools' reference. Otherwise None, and widths
        follow from the operands.
    """

    internal: IQuantizer | None = None
    accumulator: IQuantizer | None = None

    def operand(self, value: IQuantizer) -> IQuantizer:
        """Return the type in which an intermediate result meets the next multiplier."""
        return self.internal or value

    def multiply(self, left: IQuantizer, right: IQuantizer) -> Operation:
        """One product; `left` takes the place of QTools' weight."""
        # A new factory each time: its table holds the result objects, so that a
        # second multiplier of the same kind would change the type of the first.
        multiplier = MultiplierFactory().make_multiplier(left, right)
        result = self.accumulator or multiplier.output
        return Operation(_gate_energy(multiplier, result), result)

    def multiply_accumulate(
        self, weight: IQuantizer, value: IQuantizer, kernel: Shape
    ) -> Operation:
        """One product and its addition; `kernel` (terms, outputs) sets the sum's width.

        The width has room for one term more than the kernel has rows: the bias,
        or the sum that a recurrent sum is added to. QTools does so with and
        without a bias.
        """
        multiplier = MultiplierFactory().make_multiplier(weight, value)
        total = self.accumulator or AccumulatorFactory().make_accumulator(kernel, multiplier).output
        product = _gate_energy(multiplier, self.accumulator or multiplier.output)
        return Operation(product + _add_energy(total), total)

    def add(self, left: IQuantizer, right: IQuantizer) -> Operation:
        """One addition of two tensors: a bit wider than the wider, as QTools' Add."""
        if self.accumulator:
            result = self.accumulator
        elif left.is_floating_point or right.is_floating_point:
            result = _wider_float(left, right)
        else:
            result = IAdder().make_quantizer(left, right).output
        return Operation(_add_energy(result), result)

    def join(self, left: IQuantizer, right: IQuantizer) -> Operation:
        """One addition of two sums: in the wider accumulator, whose spare term it is."""
        if left.is_floating_point or right.is_floating_point:
            result = _wider_float(left, right)
        else:
            result = max(left, right, key=lambda total: total.bits)
        return Operation(_add_energy(result), result)


@dataclass(frozen=True)
class Memory:
    """QTools' memory model: where tensors live.

    Attributes
    ----------
    parameters, activations
        ``sram``, ``dram`` or ``fixed`` (wired: free).
    min_sram_size_bits
        Smallest SRAM that is built, bits.
    rd_wr_on_io
        Whether the network's input and output live in DRAM; else in SRAM.
    """

    parameters: str
    activations: str
    min_sram_size_bits: int
    rd_wr_on_io: bool

    def read_weights(self, shape: Shape, bits: int) -> float:
        """Energy to read a weight tensor once, pJ."""
        return float(
            memory_read_energy(
                False, shape, self.parameters, self.min_sram_size_bits, self.rd_wr_on_io, bits,
                is_tensor=False,
            )
        )  # fmt: skip

    def read(self, shape: Shape, bits: int, *, network_input: bool = False) -> float:
        """Energy to read an activation tensor once, pJ; `shape` without batch."""
        return float(
            memory_read_energy(
                network_input, (None, *shape), self.activations, self.min_sram_size_bits,
                self.rd_wr_on_io, bits,
            )
        )  # fmt: skip

    def write(self, shape: Shape, bits: int, *, network_output: bool = False) -> float:
        """Energy to write an activation tensor once, pJ; `shape` without batch."""
        return float(
            memory_write_energy(
                network_output, (None, *shape), self.activations, self.min_sram_size_bits,
                self.rd_wr_on_io, bits,
            )
        )  # fmt: skip


def _gate_energy(multiplier: object, result: IQuantizer) -> float:
    kind, table = multiplier.implemented_as(), OP[get_op_type(result)]  # type: ignore[attr-defined]
    if kind not in table:
        raise EnergyError(
            f"a {kind} with a {get_op_type(result)} result has no energy in QTools' table: "
            "give energy.reference_accumulator an integer type"
        )
    factor, bits = multiplier.gate_factor, multiplier.gate_bits  # type: ignore[attr-defined]
    return float(factor * table[kind](bits))


def _add_energy(result: IQuantizer) -> float:
    return float(OP[get_op_type(result)]["add"](result.bits))


def _wider_float(left: IQuantizer, right: IQuantizer) -> IQuantizer:
    # QTools takes the widest of both, fixed point included: "fp40" is in no table.
    return FloatingPoint(bits=max(q.bits for q in (left, right) if q.is_floating_point))
