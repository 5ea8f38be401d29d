"""Energy of one arithmetic operation, in pJ, and the type of its result: QTools' operators.

The kinds of both operands decide what multiplies them: a multiplier, a shifter, a multiplexer
or a gate. Nothing is rounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.quantization.energy.description import EnergyError, Shape
from pipeline.quantization.energy.number_types import NumberType
from pipeline.quantization.energy.table import PROCESSES, evaluate

# Energy of a multiplexer, an xor and an and, as fractions of that of an adder.
_MUX, _XOR, _AND = 0.3, 0.3, 0.1


@dataclass(frozen=True)
class Operation:
    """Energy of one operation in pJ, and the type of its result."""

    energy: float
    result: NumberType


@dataclass(frozen=True)
class Multiplier:
    """What forms a product.

    Attributes
    ----------
    operator
        Its kind.
    factor, bits
        Its energy is `factor` times that of an adder (``mul``: a multiplier) of `bits`.
    result
        Type of the product.
    """

    operator: Literal["mul", "shifter", "mux", "xor", "and", "add"]
    factor: float
    bits: float
    result: NumberType


def multiplier(weight: NumberType, value: NumberType) -> Multiplier:
    """Return what multiplies two numbers; of some kinds it matters which is the weight."""
    kinds = {weight.kind, value.kind}
    signed = weight.signed or value.signed
    if "float" in kinds:
        bits = max(number.bits for number in (weight, value) if number.kind == "float")
        return Multiplier("mul", 1, bits, NumberType("float", bits, True))
    if kinds == {"fixed"}:
        root = float(np.sqrt(value.bits * weight.bits))
        return Multiplier("mul", 1, root, NumberType("fixed", weight.bits + value.bits, signed))
    if kinds == {"power of two"}:
        return _exponent_adder(weight, value)
    if kinds == {"fixed", "power of two"}:
        return _shifter(weight, value)
    if "bit" in kinds:
        return _and_gate(weight, value)
    if kinds == {"signs"}:
        bits = max(weight.bits, value.bits)
        return Multiplier("xor", _XOR, 1, NumberType("signs", bits, signed))
    return _multiplexer(weight, value)


def _exponent_adder(weight: NumberType, value: NumberType) -> Multiplier:
    signed = weight.signed or value.signed
    signed_exponent = weight.signed_exponent or value.signed_exponent
    if weight.signed_exponent and value.signed_exponent:
        bits = max(weight.bits, value.bits) + 1
    else:  # of which QTools knows nothing: the signs, and one bit more than the wider exponent
        exponent_bits = max(weight.exponent_bits, value.exponent_bits) + 1
        bits = exponent_bits + signed + signed_exponent
    largest = None
    if weight.largest is not None and value.largest is not None:
        largest = weight.largest * value.largest
    result = NumberType("power of two", bits, signed, largest, signed_exponent)
    return Multiplier("add", 1, bits, result)


def _shifter(weight: NumberType, value: NumberType) -> Multiplier:
    power, fixed = (weight, value) if weight.kind == "power of two" else (value, weight)
    sign = power.signed and not fixed.signed
    bits = fixed.bits + sum(power.exponents) + sign
    root = np.sqrt(2**power.bits * fixed.bits)
    size = float(root * np.log10(root))
    return Multiplier("shifter", 1, size, NumberType("fixed", bits, power.signed or fixed.signed))


def _and_gate(weight: NumberType, value: NumberType) -> Multiplier:
    """Return the gate of a bit with any kind; with ternary numbers and signs it is ternary."""
    other = value if weight.kind == "bit" else weight
    if other.kind in ("ternary", "signs"):
        result = NumberType("ternary", 2, True)
    else:
        bits = max(weight.bits, value.bits)
        signed = weight.signed or value.signed
        result = NumberType(other.kind, bits, signed, other.largest, other.signed_exponent)
    return Multiplier("and", _AND, result.bits, result)


def _multiplexer(weight: NumberType, value: NumberType) -> Multiplier:
    """Return the choice between a number, its negative and, by a ternary number, 0."""
    chooser, number = weight, value
    if weight.kind not in ("ternary", "signs"):
        chooser, number = value, weight
    bits = number.bits + (chooser.signed and not number.signed)
    kind = "ternary" if number.kind == "signs" else number.kind
    signed = chooser.signed or number.signed
    result = NumberType(kind, bits, signed, number.largest, number.signed_exponent)
    factor = _MUX if chooser.kind == "signs" else 2 * _MUX
    return Multiplier("mux", factor, number.bits, result)


@dataclass(frozen=True)
class Arithmetic:
    """Prices operations between quantized values.

    Attributes
    ----------
    process
        Whose table is taken.
    internal, accumulator
        Set for a layer without quantizers: what meets a multiplier inside the
        layer is of type `internal`, what leaves a multiplier or an adder of
        type `accumulator`, as in QTools' reference. Otherwise None, and widths
        follow from the operands.
    """

    process: str
    internal: NumberType | None = None
    accumulator: NumberType | None = None

    def operand(self, value: NumberType) -> NumberType:
        """Return the type in which an intermediate result meets the next multiplier."""
        return self.internal or value

    def multiply(self, left: NumberType, right: NumberType) -> Operation:
        """One product; `left` takes the place of QTools' weight."""
        product = multiplier(left, right)
        result = self.accumulator or product.result
        return Operation(self._product_energy(product, result), result)

    def multiply_accumulate(
        self, weight: NumberType, value: NumberType, kernel: Shape
    ) -> Operation:
        """One product and its addition; `kernel` (terms, outputs) sets the sum's width.

        The width has room for one term more than the kernel has rows: the bias,
        or the sum that a recurrent sum is added to. QTools does so with and
        without a bias.
        """
        product = multiplier(weight, value)
        total = self.accumulator or _accumulated(product.result, kernel[0] + 1)
        energy = self._product_energy(product, self.accumulator or product.result)
        return Operation(energy + self._add_energy(total), total)

    def add(self, left: NumberType, right: NumberType) -> Operation:
        """One addition of two tensors: a bit wider than the wider, as QTools' Add."""
        if self.accumulator:
            result = self.accumulator
        elif "float" in (left.kind, right.kind):
            result = _wider_float(left, right)
        else:
            # QTools leaves a power of two as it is where a bit is added to it, but not the
            # other way round.
            if (left.kind, right.kind) != ("power of two", "bit"):
                left, right = left.as_fixed, right.as_fixed
            bits = max(left.bits, right.bits) + 1
            result = NumberType("fixed", bits, left.signed or right.signed)
        return Operation(self._add_energy(result), result)

    def join(self, left: NumberType, right: NumberType) -> Operation:
        """One addition of two sums: in the wider accumulator, whose spare term it is."""
        if "float" in (left.kind, right.kind):
            result = _wider_float(left, right)
        else:
            result = max(left, right, key=lambda total: total.bits)
        return Operation(self._add_energy(result), result)

    def _product_energy(self, product: Multiplier, result: NumberType) -> float:
        table, number = PROCESSES[self.process], _table_name(result)
        if number == "fixed":
            name = "fixed_mul" if product.operator == "mul" else "fixed_add"
        elif product.operator in ("mul", "add"):
            name = f"{number}_{product.operator}"
        else:
            raise EnergyError(
                f"a {product.operator} with a {number} result has no energy in QTools' table: "
                "give energy.reference_accumulator an integer type"
            )
        return product.factor * evaluate(table[name], product.bits)

    def _add_energy(self, result: NumberType) -> float:
        return evaluate(PROCESSES[self.process][f"{_table_name(result)}_add"], result.bits)


def _accumulated(product: NumberType, terms: int) -> NumberType:
    """Return the type of a sum of so many products."""
    if product.kind == "float":
        return product
    bits = math.ceil(math.log2(terms)) + product.as_fixed.bits
    return NumberType("fixed", bits, product.signed)


def _table_name(number: NumberType) -> str:
    return f"fp{number.bits}" if number.kind == "float" else "fixed"


def _wider_float(left: NumberType, right: NumberType) -> NumberType:
    # QTools takes the widest of both, fixed point included: "fp40" is in no table.
    bits = max(number.bits for number in (left, right) if number.kind == "float")
    return NumberType("float", bits, True)
