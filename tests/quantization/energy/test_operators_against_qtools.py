"""Types, operators and memories equal those of QTools to the last bit, for every pair of kinds."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from qkeras.qtools.config_public import config_settings
from qkeras.qtools.qenergy import qenergy
from qkeras.qtools.quantized_operators import AccumulatorFactory, MultiplierFactory
from qkeras.qtools.quantized_operators.adder_factory import IAdder
from qkeras.qtools.quantized_operators.quantizer_factory import QuantizerFactory
from qkeras.qtools.quantized_operators.quantizer_impl import IQuantizer, QuantizedBits
from qkeras.qtools.settings import ConfigClass, cfg

from pipeline.base.architecture import Architecture
from pipeline.quantization.energy.description import (
    ActivationDescription,
    DenseDescription,
    NetworkDescription,
    float_network,
)
from pipeline.quantization.energy.memory import Memory
from pipeline.quantization.energy.network import network_cost
from pipeline.quantization.energy.number_types import NumberType, default_type, type_of
from pipeline.quantization.energy.operators import Arithmetic, multiplier
from pipeline.quantization.energy.table import PROCESSES, SRAM_WORD_BITS
from pipeline.quantizers.quantizer import parse_quantizer
from tests.quantization.energy_settings import settings

# Rows of QTools' table of multipliers.
MODES = {"fixed": 0, "power of two": 1, "ternary": 2, "signs": 3, "bit": 4, "float": 5}
DEFAULTS = ["fp32", "fp16", "int8", "int16", "int32"]
TEXTS = [
    "quantized_bits(6,1,1,alpha=1)", "quantized_bits(3,1,0,keep_negative=0,alpha=1)",
    "quantized_relu(5,2)", "quantized_relu(4,2,negative_slope=0.25)", "quantized_relu(1,1)",
    "quantized_tanh(7)", "quantized_sigmoid(5)", "quantized_po2(2)", "quantized_po2(4)",
    "quantized_po2(5,8)", "quantized_po2(4,3)", "quantized_relu_po2(3)", "quantized_relu_po2(4,2)",
    "ternary(alpha=1)", "stochastic_ternary", "binary(alpha=1)", "stochastic_binary(alpha=1)",
    "binary(use_01=1,alpha=1)", "quantized_po2(8,0)", "quantized_relu_po2(8,0)",
]  # fmt: skip
NAMES = DEFAULTS + TEXTS
PAIRS = list(product(NAMES, NAMES))
# Stochastic quantizers are trained to the same values; QTools' name decides what they cost.
DETERMINISTIC = {"stochastic_ternary": "ternary", "stochastic_binary(alpha=1)": "binary(alpha=1)"}


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give QTools its table: before the first `QTools(...)` it has another one."""
    for name, value in vars(ConfigClass()).items():
        monkeypatch.setattr(cfg, name, value)
    cfg.update("horowitz", config_settings)


def ours(name: str) -> NumberType:
    return default_type(name) if name in DEFAULTS else type_of(name, "test")


def theirs(name: str) -> IQuantizer:
    if name in DEFAULTS:
        return QuantizerFactory().make_default_quantizer(mode=name)
    if name.startswith("quantized_sigmoid"):  # which QTools does not know
        sigmoid = QuantizedBits()
        sigmoid.bits, sigmoid.int_bits, sigmoid.is_signed = ours(name).bits, 0, 0
        return sigmoid
    quantizer = parse_quantizer(DETERMINISTIC.get(name, name), "test").build()
    return QuantizerFactory().make_quantizer(quantizer)


def require_equal(one: NumberType, other: IQuantizer) -> None:
    largest = -1 if one.largest is None else one.largest
    assert (MODES[one.kind], one.bits, one.signed) == (
        other.mode, other.bits, bool(other.is_signed),
    )  # fmt: skip
    assert largest == (other.max_val_po2 if one.kind == "power of two" else largest)


@pytest.mark.parametrize("name", NAMES)
def test_a_type(name: str) -> None:
    require_equal(ours(name), theirs(name))


@pytest.mark.parametrize(("weight", "value"), PAIRS)
def test_a_product_and_sums_of_it(weight: str, value: str) -> None:
    ours_, theirs_ = (
        multiplier(ours(weight), ours(value)),
        MultiplierFactory().make_multiplier(theirs(weight), theirs(value)),
    )
    require_equal(ours_.result, theirs_.output)
    assert ours_.operator == theirs_.implemented_as()
    assert (ours_.factor, ours_.bits) == (theirs_.gate_factor, theirs_.gate_bits)
    kind = qenergy.get_op_type(theirs_.output)
    energy = theirs_.gate_factor * qenergy.OP[kind][theirs_.implemented_as()](theirs_.gate_bits)
    arithmetic = Arithmetic("horowitz")
    assert arithmetic.multiply(ours(weight), ours(value)).energy == energy
    for terms in (1, 2, 3, 7, 8, 63, 64):
        total = AccumulatorFactory().make_accumulator((terms, 4), theirs_).output
        operation = arithmetic.multiply_accumulate(ours(weight), ours(value), (terms, 4))
        require_equal(operation.result, total)
        addition = qenergy.OP[qenergy.get_op_type(total)]["add"](total.bits)
        assert operation.energy == energy + addition


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_a_sum_of_two_tensors(left: str, right: str) -> None:
    one, other = ours(left), ours(right)
    operation = Arithmetic("horowitz").add(one, other)
    if "float" in (one.kind, other.kind):  # QTools would take the widest, of which it has no price
        assert operation.result.kind == "float"
        return
    total = IAdder().make_quantizer(theirs(left), theirs(right)).output
    require_equal(operation.result, total)
    assert operation.energy == qenergy.OP["fpm"]["add"](total.bits)


@pytest.mark.parametrize(("first", "second", "third"), [
    (a, b, c) for a, b in product(TEXTS, TEXTS) for c in ("quantized_po2(4)", "ternary(alpha=1)")
])  # fmt: skip
def test_a_product_of_a_product(first: str, second: str, third: str) -> None:
    """Results are of kinds with widths that no quantizer has."""
    inner = MultiplierFactory().make_multiplier(theirs(first), theirs(second)).output
    for swap in (False, True):
        pair = (inner, theirs(third)) if swap else (theirs(third), inner)
        outer = MultiplierFactory().make_multiplier(*pair)
        product_ = multiplier(ours(first), ours(second)).result
        again = multiplier(*((product_, ours(third)) if swap else (ours(third), product_)))
        require_equal(again.result, outer.output)
        assert (again.factor, again.bits) == (outer.gate_factor, outer.gate_bits)


@pytest.mark.parametrize("place", ["sram", "dram", "fixed"])
@pytest.mark.parametrize("smallest", [0, 1000])
@pytest.mark.parametrize("on_io", [False, True])
def test_an_access(place: str, smallest: int, on_io: bool) -> None:
    memory = Memory("horowitz", place, place, smallest, on_io)
    common: tuple[Any, ...] = (place, smallest, on_io)
    for shape, bits in product([(1,), (8,), (5, 1), (8, 8), (30, 7)], range(1, 40)):
        assert memory.read_weights(shape, bits) == qenergy.memory_read_energy(
            False, shape, *common, bits, is_tensor=False
        )
        for edge in (False, True):
            moved = memory.move(shape, bits, at_the_edge=edge)
            tensor = (None, *shape)
            assert moved == qenergy.memory_read_energy(edge, tensor, *common, bits)
            assert moved == qenergy.memory_write_energy(edge, tensor, *common, bits)


def test_the_table_is_that_of_qtools() -> None:
    theirs_ = config_settings["horowitz"]
    names = {"fixed_add": "fpm_add", "fixed_mul": "fpm_mul", "sram": "sram_rd", "dram": "dram_rd"}
    for name, polynomial in PROCESSES["horowitz"].items():
        assert list(polynomial) == theirs_[names.get(name, name)]
    assert cfg.sram_mul_factor == 1 / SRAM_WORD_BITS


def test_what_is_counted_of_a_layer_is_what_qtools_counts() -> None:
    cell, dense, activation = (
        DenseDescription(name="d", features=1, units=1),
        float_network(Architecture("LSTM", 1, 1)).layers[0],
        ActivationDescription(name="a", shape=(1,)),
    )
    network = NetworkDescription((dense, cell, activation))
    counted = [list(layer.counted) for layer in network_cost(network, settings()).layers]
    rules = cfg.include_energy
    assert counted == [rules.get("LSTM", rules["default"]), rules["default"], rules["Activation"]]
