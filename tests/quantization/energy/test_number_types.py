"""Every quantizer is priced as what it is, or refused."""

from itertools import product
from typing import Any

import pytest
from qkeras import quantized_po2, quantized_relu_po2
from qkeras.qtools.quantized_operators.quantizer_factory import QuantizerFactory

from pipeline.base.architecture import Architecture
from pipeline.quantization.energy.description import EnergyError, float_network
from pipeline.quantization.energy.network import network_cost
from pipeline.quantization.energy.number_types import type_of
from tests.quantization.energy_settings import settings


@pytest.mark.parametrize(
    ("text", "bits", "signed", "kind"),
    [
        ("quantized_bits(6,1,1,alpha=1)", 6, True, "fixed"),
        ("quantized_bits(6,1,1,alpha='auto_po2')", 6, True, "fixed"),
        ("quantized_bits(6,1,1,alpha=0.5)", 6, True, "fixed"),
        ("quantized_bits(6,1,0,keep_negative=False)", 6, False, "fixed"),
        ("quantized_relu(4,2)", 4, False, "fixed"),
        ("quantized_relu(4,2,negative_slope=0.25)", 4, True, "fixed"),
        ("quantized_relu(1,1)", 1, False, "bit"),
        ("quantized_tanh(7)", 7, True, "fixed"),
        ("quantized_sigmoid(5)", 5, False, "fixed"),
        ("quantized_po2(4)", 4, True, "power of two"),
        ("quantized_po2(4,8)", 4, True, "power of two"),
        ("quantized_relu_po2(4,4)", 4, False, "power of two"),
        ("ternary(alpha=1)", 2, True, "ternary"),
        ("stochastic_ternary", 2, True, "ternary"),
        ("binary", 1, True, "signs"),
        ("stochastic_binary(alpha=1)", 1, True, "signs"),
        ("binary(use_01=1,alpha=1)", 1, False, "bit"),
    ],
)
def test_widths(text: str, bits: int, signed: bool, kind: str) -> None:
    found = type_of(text, "rnn/kernel")
    assert (found.bits, found.signed, found.kind) == (bits, signed, kind)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("relu", "unknown quantizer"),
        ("quantized_ulaw(4)", "unknown quantizer"),
        ("quantized_bits(6,1,1", "expected a quantizer"),
        ("", "expected a quantizer"),
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
        type_of(text, "rnn/kernel")
    assert "rnn/kernel" in str(error.value)


def test_qtools_miscounts_powers_of_two_below_one() -> None:
    """Why max_value <= 1 is refused; when upstream mends it, this test says so."""
    for quantizer in (quantized_po2(4, 1), quantized_relu_po2(4, 1)):
        down, _ = QuantizerFactory().make_quantizer(quantizer).get_min_max_exp()
        assert quantizer._min_exp == -2 * down


def test_qtools_answers_the_unknown_with_its_default() -> None:
    """Why an unknown quantizer is an error here."""
    default = QuantizerFactory().make_quantizer("quantized_bits(6,1,1)")
    assert default.bits != 6


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
