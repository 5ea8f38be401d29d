"""Every quantiser is priced as what it is, or refused."""

from itertools import product
from typing import Any

import pytest
from qkeras import quantized_po2, quantized_relu_po2
from qkeras.qtools.quantized_operators.quantizer_factory import QuantizerFactory

from pipeline.base.architecture import Architecture
from pipeline.quantization.energy.description import EnergyError, float_network
from pipeline.quantization.energy.network import network_cost
from pipeline.quantization.energy.quantizer_types import default_quantizer, make_quantizer
from tests.quantization.energy_settings import settings


@pytest.mark.parametrize(
    ("text", "bits", "signed", "mode"),
    [
        # mode: row of QTools' multiplier table; 0 fixed point, 1 power of two, 2 ternary,
        # 3 binary -1, 1, 4 binary 0, 1
        ("quantized_bits(6,1,1,alpha=1)", 6, True, 0),
        ("quantized_bits(6,1,1,alpha='auto_po2')", 6, True, 0),
        ("quantized_bits(6,1,1,alpha=0.5)", 6, True, 0),
        ("quantized_bits(6,1,0,keep_negative=False)", 6, False, 0),
        ("quantized_relu(4,2)", 4, False, 0),
        ("quantized_relu(4,2,negative_slope=0.25)", 4, True, 0),
        ("quantized_relu(1,1)", 1, False, 4),
        ("quantized_tanh(7)", 7, True, 0),
        ("quantized_sigmoid(5)", 5, False, 0),
        ("quantized_po2(4)", 4, True, 1),
        ("quantized_po2(4,8)", 4, True, 1),
        ("quantized_relu_po2(4,4)", 4, False, 1),
        ("ternary(alpha=1)", 2, True, 2),
        ("stochastic_ternary", 2, True, 2),
        ("binary", 1, True, 3),
        ("stochastic_binary(alpha=1)", 1, True, 3),
        ("binary(use_01=1,alpha=1)", 1, False, 4),
    ],
)
def test_widths(text: str, bits: int, signed: bool, mode: int) -> None:
    quantizer = make_quantizer(text, "rnn/kernel")
    assert (quantizer.bits, bool(quantizer.is_signed), quantizer.mode) == (bits, signed, mode)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("relu", "unknown quantiser"),
        ("quantized_ulaw(4)", "unknown quantiser"),
        ("quantized_bits(6,1,1", "expected a quantiser"),
        ("", "expected a quantiser"),
        ("quantized_bits(0,0,1)", "bits"),
        ("quantized_bits(6.5,0,1)", "bits"),
        ("quantized_bits(6,1,1,alpha='auto')", "alpha"),
        ("binary(alpha='auto')", "alpha"),
        ("quantized_bits(6,1,1,alpha=0.3)", "alpha"),
        ("ternary(alpha=3)", "alpha"),
        ("quantized_bits(1,0,1)", "bits"),
        ("quantized_relu(1,0)", "one bit"),
        ("quantized_po2(1)", "bits"),
        ("quantized_po2(4,1)", "max_value"),
        ("quantized_relu_po2(4,1)", "max_value"),
        ("quantized_relu_po2(4,4,0.25)", "negative_slope"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(EnergyError, match=message) as error:
        make_quantizer(text, "rnn/kernel")
    assert "rnn/kernel" in str(error.value)


def test_qtools_miscounts_powers_of_two_below_one() -> None:
    """Why max_value <= 1 is refused; when upstream mends it, this test says so."""
    for quantizer in (quantized_po2(4, 1), quantized_relu_po2(4, 1)):
        down, _ = QuantizerFactory().make_quantizer(quantizer).get_min_max_exp()
        assert quantizer._min_exp == -2 * down


def test_qtools_answers_the_unknown_with_its_default() -> None:
    """Why nothing unchecked is handed to QTools' factory."""
    default = QuantizerFactory().make_quantizer("quantized_bits(6,1,1)")
    assert default.bits != 6


def test_each_call_makes_a_new_type() -> None:
    first, second = (make_quantizer("quantized_bits(6,1,1)", "input") for _ in range(2))
    assert first is not second
    assert default_quantizer("int8") is not default_quantizer("int8")


KINDS: list[Any] = [
    None, "quantized_bits(6,1,1,alpha=1)", "quantized_relu(5,2)", "quantized_relu(1,1)",
    "quantized_po2(3)", "quantized_relu_po2(3,4)", "ternary(alpha=1)", "binary(alpha=1)",
    "binary(use_01=1,alpha=1)",
]  # fmt: skip


@pytest.mark.parametrize("internal", ["fp32", "int8"])
@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_every_combination_of_kinds_has_a_finite_price(cell: Any, internal: str) -> None:
    network = float_network(Architecture(cell, 3, 3))
    accumulator = {"fp32": "fp32", "int8": "int32"}[internal]
    params = settings(reference_internal=internal, reference_accumulator=accumulator)
    for weight, value, gate in product(KINDS, KINDS, KINDS if cell != "SimpleRNN" else [None]):
        quantizers = {
            "input": value,
            "rnn/kernel": weight,
            "rnn/recurrent_kernel": weight,
            "rnn/bias": "quantized_bits(6,1,1,alpha=1)",
            "rnn/state": value,
            "rnn/activation": value,
            "dense/kernel": weight,
            "dense/bias": "quantized_bits(6,1,1,alpha=1)",
        }
        if cell != "SimpleRNN":
            quantizers["rnn/recurrent_activation"] = gate
        energy = network_cost(network.with_quantizers(quantizers), params)
        assert all(0 < part < 1e5 for layer in energy.layers for part in layer.parts.values())
