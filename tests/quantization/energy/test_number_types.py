"""Every quantizer is priced as what it is, or refused."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from qkeras import quantized_po2, quantized_relu_po2
from qkeras.qtools.quantized_operators.quantizer_factory import QuantizerFactory

from pipeline.base.architecture import Architecture
from pipeline.quantization.energy.description import EnergyError, float_network
from pipeline.quantization.energy.network import network_cost
from pipeline.quantization.energy.number_types import type_of
from pipeline.quantization.energy.operators import multiplier
from pipeline.quantizers.quantizer import parse_quantizer
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
        ("quantized_po2(8,0)", 8, True, "power of two"),
        ("quantized_po2(8,1)", 8, True, "power of two"),
        ("quantized_relu_po2(4,4,0.25)", 5, True, "power of two"),
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
        ("quantized_po2(4,-1)", "max_value"),
        ("quantized_po2(4,0.001)", "max_value"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(EnergyError, match=message) as error:
        type_of(text, "rnn/kernel")
    assert "rnn/kernel" in str(error.value)


def test_qtools_miscounts_powers_of_two_below_one() -> None:
    """Why max_value <= 1 is corrected; when upstream mends it, this test says so."""
    for quantizer in (quantized_po2(4, 1), quantized_relu_po2(4, 1)):
        down, _ = QuantizerFactory().make_quantizer(quantizer).get_min_max_exp()
        assert quantizer._min_exp == -2 * down


POWERS = [
    f"{name}({bits}{rest})"
    for name in ("quantized_po2", "quantized_relu_po2")
    for bits in (3, 4, 6)
    for rest in ("", ",0", ",0.25", ",1", ",2", ",8")
]


@pytest.mark.parametrize("text", [*POWERS, "quantized_relu_po2(4,4,0.25)", "quantized_po2(8,1)"])
def test_exponents_reach_as_far_as_those_of_qkeras(text: str) -> None:
    quantizer = parse_quantizer(text, "test").build()
    up = quantizer._max_exp
    if quantizer.max_value is not None:
        up = min(up, int(np.ceil(np.log2(quantizer.max_value))))
    assert type_of(text, "test").exponents == (-quantizer._min_exp, max(0, up))


@pytest.mark.parametrize(("left", "right"), [
    (a, b) for a, b in product(POWERS, POWERS)
    if not (type_of(a, "t").signed_exponent and type_of(b, "t").signed_exponent)
])  # fmt: skip
def test_a_sum_of_exponents_holds_every_sum_where_qtools_counts_too_few(
    left: str, right: str
) -> None:
    one, other = type_of(left, "t"), type_of(right, "t")
    result = multiplier(one, other).result
    (down, up), (down2, up2) = one.exponents, other.exponents
    assert result.exponents[0] >= down + down2
    assert 2**result.exponent_bits * result.signed_exponent >= min(up + up2, 1)
    assert result.bits <= max(one.bits, other.bits) + 3


def test_no_limit_costs_as_in_qtools_and_a_limit_of_one_as_its_longer_shift() -> None:
    value = type_of("quantized_relu(8,0)", "t")
    for bits in (3, 4, 8):
        free, zero, one = (
            multiplier(type_of(f"quantized_po2({bits}{rest})", "t"), value)
            for rest in ("", ",0", ",1")
        )
        assert free == zero
        assert one.bits == free.bits  # the shifter itself: as many bits of shift
        # 2**-2n .. 1 instead of 2**-n .. 2**(n-1)
        assert one.result.bits == free.result.bits + 1


def test_qtools_answers_the_unknown_with_its_default() -> None:
    """Why an unknown quantizer is an error here."""
    default = QuantizerFactory().make_quantizer("quantized_bits(6,1,1)")
    assert default.bits != 6


KINDS: list[Any] = [
    None, "quantized_bits(6,1,1,alpha=1)", "quantized_relu(5,2)", "quantized_relu(1,1)",
    "quantized_po2(3)", "quantized_relu_po2(3,4)", "quantized_po2(8,1)",
    "quantized_relu_po2(4,2,0.25)", "ternary(alpha=1)", "binary(alpha=1)",
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
