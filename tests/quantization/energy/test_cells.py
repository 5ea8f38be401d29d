"""Energies of recurrent layers against sums written out by hand.

45 nm, pJ: fp32 product 3.7, fp32 addition 0.9; fixed point: addition, gate or
shifter of n bits 0.003125 n, product of n and m bits with n m = k^2:
0.002994791667 k^2 + 0.001041666667 k.
"""

from math import ceil, log2, log10, sqrt
from typing import Any

import pytest

from pipeline.base.architecture import Architecture
from pipeline.quantization.energy.description import (
    EnergyError,
    NetworkDescription,
    RecurrentDescription,
    float_network,
)
from pipeline.quantization.energy.network import network_cost
from tests.quantization.energy_settings import settings

FP32 = settings(reference_internal="fp32", reference_accumulator="fp32")
MUL, ADD = 3.7, 0.9


def add(bits: float) -> float:
    return 0.003125 * bits


def mul(left: int, right: int) -> float:
    return 0.002994791667 * left * right + 0.001041666667 * sqrt(left * right)


def sram(bits: int) -> float:
    """Energy of one access to `bits` in an SRAM of that size, 64 bits a word."""
    x = log2(bits)
    return ceil(bits / 64) * (9.02427321e-04 * x**3 - 2.68847858e-02 * x**2 + 2.08900804e-01 * x)


def layer(**changes: object) -> NetworkDescription:
    defaults: dict[str, object] = {"name": "rnn", "features": 2, "units": 3, "timesteps": 4}
    return NetworkDescription((RecurrentDescription(**defaults | changes),))  # type: ignore[arg-type]


def test_default_network_in_float() -> None:
    energy = network_cost(float_network(Architecture("SimpleRNN", 8, 5)), FP32, "reference")
    rnn, dense = energy.layers
    assert rnn.macs == 5 * 1 * 8 + 4 * 8 * 8 == 296
    # 296 multiply-accumulates, and in four steps eight additions of both sums
    assert rnn.op_cost == pytest.approx(296 * (MUL + ADD) + 4 * 8 * ADD)
    assert rnn.op_cost == pytest.approx(1390.4)
    assert dense.op_cost == pytest.approx(8 * (MUL + ADD))
    assert dense.op_cost == pytest.approx(36.8)
    # kernel (1, 8), recurrent kernel (8, 8), bias (8,) of 32 bits
    assert rnn.parameters == pytest.approx(sram(256) + sram(2048) + sram(256))
    assert rnn.parameters == pytest.approx(11.2, abs=0.05)
    # five samples; the state of eight values four times
    assert rnn.inputs == pytest.approx(sram(5 * 32) + 4 * sram(8 * 32))
    # the state in four steps, and the output
    assert rnn.outputs == pytest.approx(4 * sram(8 * 32) + sram(8 * 32))
    assert energy.total == pytest.approx(
        rnn.inputs + rnn.parameters + rnn.op_cost + dense.inputs + dense.parameters + dense.op_cost
    )
    assert energy.macs == 304


@pytest.mark.parametrize(
    ("bits", "operations", "parameters"),
    [(12, 162.8, 5.8), (8, 86.2, 3.8), (6, 57.2, 3.3), (4, 34.2, 2.6)],
)
def test_figures_of_the_worked_example(bits: int, operations: float, parameters: float) -> None:
    """Weights and state of `bits` bits, samples of 14."""
    weight = f"quantized_bits({bits},0,1,alpha=1)"
    description = float_network(Architecture("SimpleRNN", 8, 5)).with_quantizers(
        {
            "input": "quantized_bits(14,0,1)",
            "rnn/kernel": weight,
            "rnn/recurrent_kernel": weight,
            "rnn/bias": weight,
            "rnn/activation": f"quantized_relu({bits},0)",
        }
    )
    rnn = network_cost(description, FP32, "trial").layer("rnn")
    assert rnn.op_cost == pytest.approx(operations, abs=0.05)
    assert rnn.parameters == pytest.approx(parameters, abs=0.05)
    # products of bits + 14 and 2 bits wide; a kernel column has 1 term and the
    # bias (1 bit of growth), a recurrent one 8 and the kernel's sum (4 bits)
    kernel, recurrent = bits + 14 + 1, 2 * bits + 4
    assert rnn.op_cost == pytest.approx(
        40 * (mul(bits, 14) + add(kernel))
        + 256 * (mul(bits, bits) + add(recurrent))
        + 32 * add(max(kernel, recurrent))
    )


def test_reference_of_eight_bits() -> None:
    """Operands of 8 bits, every sum and product of 32."""
    rnn, dense = network_cost(
        float_network(Architecture("SimpleRNN", 8, 5)), settings(), "reference"
    ).layers
    assert rnn.op_cost == pytest.approx(296 * (mul(8, 8) + add(32)) + 32 * add(32))
    assert dense.op_cost == pytest.approx(8 * (mul(8, 8) + add(32)))
    assert dense.inputs == pytest.approx(sram(8 * 8))
    assert dense.outputs == pytest.approx(sram(32))


def test_state_quantizer_is_the_operand_and_what_is_stored() -> None:
    description = layer(
        cell="SimpleRNN",
        kernel="quantized_bits(6,0,1,alpha=1)",
        recurrent_kernel="quantized_bits(5,0,1,alpha=1)",
        bias="quantized_bits(7,0,1,alpha=1)",
        state="quantized_relu(4,0)",
        activation="quantized_relu(9,0)",
    )
    (rnn,) = network_cost(description.with_quantizers({"input": "binary"}), FP32).layers
    # samples of +-1 against 6-bit weights: a multiplexer of 0.3 adders; 2 terms + bias
    kernel, recurrent = 6 + 2, 5 + 4 + 2
    assert rnn.op_cost == pytest.approx(
        4 * 6 * (0.3 * add(6) + add(kernel))
        + 3 * 9 * (mul(5, 4) + add(recurrent))
        + 3 * 3 * add(recurrent)
    )
    assert rnn.parameters == pytest.approx(sram(6 * 6) + sram(9 * 5) + sram(3 * 7))
    assert rnn.inputs == pytest.approx(sram(4 * 2 * 1) + 3 * sram(3 * 4))
    assert rnn.outputs == pytest.approx(3 * sram(3 * 4) + sram(3 * 9))


def test_one_step_has_no_recurrent_part() -> None:
    (rnn,) = network_cost(layer(cell="SimpleRNN", timesteps=1), FP32, "reference").layers
    assert rnn.macs == 6
    assert rnn.op_cost == pytest.approx(6 * (MUL + ADD))
    assert rnn.inputs == pytest.approx(sram(2 * 32))
    assert rnn.outputs == pytest.approx(sram(3 * 32))


def test_lstm_in_float() -> None:
    (rnn,) = network_cost(layer(cell="LSTM"), FP32, "reference").layers
    assert rnn.macs == 4 * 2 * 12 + 3 * 3 * 12
    assert rnn.products == 3 * (3 + 4 + 4)
    assert rnn.op_cost == pytest.approx(
        (4 * 2 * 12 + 3 * 3 * 12) * (MUL + ADD)  # kernels of four gates
        + 3 * 12 * ADD  # both sums of each gate, not in the first step
        + 3 * 3 * MUL  # f c, not in the first step
        + 4 * 3 * MUL  # i g
        + 3 * 3 * ADD  # their sum
        + 4 * 3 * MUL  # o tanh(c)
    )
    # h and c
    assert rnn.inputs == pytest.approx(sram(4 * 2 * 32) + 2 * 3 * sram(3 * 32))
    assert rnn.outputs == pytest.approx(2 * 3 * sram(3 * 32) + sram(3 * 32))
    assert rnn.parameters == pytest.approx(sram(24 * 32) + sram(36 * 32) + sram(12 * 32))


@pytest.mark.parametrize(("unrounded", "width"), [(True, 12), (False, 9)])
def test_lstm_in_fixed_point(unrounded: bool, width: int) -> None:
    weights = dict.fromkeys(("kernel", "recurrent_kernel", "bias"), "quantized_bits(6,0,1,alpha=1)")
    description = layer(
        cell="LSTM",
        state="quantized_bits(9,2,0)",
        activation="quantized_tanh(7)",
        recurrent_activation="quantized_sigmoid(5)",
        unrounded_output=unrounded,
        **weights,
    ).with_quantizers({"input": "quantized_bits(10,0,1)"})
    (rnn,) = network_cost(description, FP32).layers
    kernel, recurrent = 6 + 10 + 2, 6 + 9 + 2
    assert rnn.op_cost == pytest.approx(
        96 * (mul(6, 10) + add(kernel))
        + 108 * (mul(6, 9) + add(recurrent))
        + 3 * 12 * add(18)
        + 3 * 3 * mul(5, 9)  # f c: 14 bits
        + 4 * 3 * mul(5, 7)  # i g: 12 bits
        + 3 * 3 * add(14 + 1)
        + 4 * 3 * mul(5, 7)
    )
    # o tanh(c) has 12 bits; rounded, it leaves the layer with those of the state
    assert rnn.outputs == pytest.approx(6 * sram(3 * 9) + sram(3 * width))


@pytest.mark.parametrize(
    ("cell", "state", "width"),
    [
        ("SimpleRNN", "quantized_relu(9,0)", 11),  # reads the activation, not the state
        ("LSTM", "quantized_bits(13,1,0,alpha=1)", 13),  # reads h as it is stored
        ("GRU", "quantized_bits(13,1,0,alpha=1)", 13),
        ("LSTM", None, 13 + 12),  # o tanh(c), which nothing quantizes
        ("GRU", None, 13 + 13 + 1),  # z h + (1 - z) g, of 12 + 8 and 13 + 13 bits
    ],
)
def test_the_dense_layer_is_priced_with_the_bits_that_it_reads(
    cell: Any, state: str | None, width: int
) -> None:
    """Kernels of 8 bits, eight units and a bias in a sum: four bits of growth."""
    weight = "quantized_bits(8,0,1,alpha='auto_po2')"
    texts = {
        "input": "quantized_bits(11,0,0,alpha=1)",
        "rnn/kernel": weight,
        "rnn/recurrent_kernel": weight,
        "rnn/bias": weight,
        "rnn/state": state,
        "dense/kernel": weight,
        "dense/bias": weight,
        "dense/activation": "quantized_relu(12,0)",
    }
    gates = {
        "rnn/activation": "quantized_tanh(13,use_real_tanh=1)",
        "rnn/recurrent_activation": "quantized_sigmoid(12,use_real_sigmoid=1)",
    }
    texts |= {"rnn/activation": "quantized_relu(11,0)"} if cell == "SimpleRNN" else gates
    network = float_network(Architecture(cell, 8, 5)).with_quantizers(texts)
    dense = network_cost(network, settings()).layer("dense")
    assert dense.inputs == pytest.approx(sram(8 * width))
    assert dense.op_cost == pytest.approx(8 * (mul(8, width) + add(8 + width + 4)))
    assert network_cost(network, settings()).layers[0].bits.activations["output"] == 8 * width


def test_gru_with_reset_before_in_float() -> None:
    (rnn,) = network_cost(layer(cell="GRU"), FP32, "reference").layers
    assert rnn.macs == 4 * 2 * 9 + 3 * 3 * 9
    assert rnn.products == 3 * (3 + 3 + 4)
    assert rnn.op_cost == pytest.approx(
        (4 * 2 * 9 + 3 * 3 * 9) * (MUL + ADD)
        + 3 * 9 * ADD  # both sums of each gate
        + 3 * 3 * MUL  # r h
        + 3 * 3 * MUL  # z h
        + 4 * 3 * ADD  # 1 - z
        + 4 * 3 * MUL  # (1 - z) g
        + 3 * 3 * ADD  # their sum
    )
    assert rnn.inputs == pytest.approx(sram(8 * 32) + 3 * sram(3 * 32))


def test_gru_with_reset_before_in_fixed_point() -> None:
    weights = dict.fromkeys(("kernel", "recurrent_kernel", "bias"), "quantized_bits(6,0,1,alpha=1)")
    description = layer(
        cell="GRU",
        state="quantized_bits(9,2,0)",
        activation="quantized_tanh(7)",
        recurrent_activation="quantized_sigmoid(5)",
        unrounded_output=True,
        **weights,
    ).with_quantizers({"input": "quantized_bits(10,0,1)"})
    (rnn,) = network_cost(description, FP32).layers
    kernel, gate, candidate = 6 + 10 + 2, 6 + 9 + 2, 6 + 14 + 2
    assert rnn.op_cost == pytest.approx(
        72 * (mul(6, 10) + add(kernel))
        + 54 * (mul(6, 9) + add(gate))  # z, r
        + 27 * (mul(6, 14) + add(candidate))  # r h has 14 bits
        + 18 * add(kernel)
        + 9 * add(candidate)
        + 9 * mul(5, 9)  # r h
        + 9 * mul(5, 9)  # z h: 14 bits
        + 12 * add(6)  # 1 - z: 6 bits
        + 12 * mul(6, 7)  # (1 - z) g: 13 bits
        + 9 * add(14 + 1)
    )
    assert rnn.outputs == pytest.approx(3 * sram(27) + sram(3 * 15))


@pytest.mark.parametrize(("use_bias", "resets"), [(True, 4), (False, 3)])
def test_gru_with_reset_after(use_bias: bool, resets: int) -> None:
    """With a bias the reset gate works in the first step as well."""
    description = layer(cell="GRU", reset_after=True, use_bias=use_bias)
    (rnn,) = network_cost(description, FP32, "reference").layers
    assert rnn.products == 3 * (resets + 3 + 4)
    assert rnn.op_cost == pytest.approx(
        (4 * 2 * 9 + 3 * 3 * 9) * (MUL + ADD)
        + 3 * 6 * ADD  # both sums of z and r
        + resets * 3 * (MUL + ADD)  # r (U h + b), added to the kernel's sum
        + 3 * 3 * MUL
        + 4 * 3 * (ADD + MUL)
        + 3 * 3 * ADD
    )
    biases = sram(2 * 9 * 32) if use_bias else 0
    assert rnn.parameters == pytest.approx(sram(18 * 32) + sram(27 * 32) + biases)


def test_gru_with_reset_after_in_fixed_point() -> None:
    weights = dict.fromkeys(("kernel", "recurrent_kernel", "bias"), "quantized_bits(6,0,1,alpha=1)")
    description = layer(
        cell="GRU",
        reset_after=True,
        state="quantized_bits(9,2,0)",
        activation="quantized_tanh(7)",
        recurrent_activation="quantized_sigmoid(5)",
        **weights,
    ).with_quantizers({"input": "quantized_bits(10,0,1)"})
    (rnn,) = network_cost(description, FP32).layers
    kernel, recurrent = 18, 17
    assert rnn.op_cost == pytest.approx(
        72 * (mul(6, 10) + add(kernel))
        + 81 * (mul(6, 9) + add(recurrent))
        + 18 * add(kernel)
        + 12 * (mul(5, recurrent) + add(5 + recurrent))
        + 9 * mul(5, 9)
        + 12 * (add(6) + mul(6, 7))
        + 9 * add(15)
    )


@pytest.mark.parametrize(
    ("recurrent", "state", "product", "width"),
    [
        # operand kinds of QTools' table: weight, value, energy of a product, its width
        ("binary(alpha=1)", "quantized_bits(6,0,1)", 0.3 * add(6), 6),
        ("binary(alpha=1)", "quantized_relu(6,0)", 0.3 * add(6), 7),
        ("binary(alpha=1)", "binary(alpha=1)", 0.3 * add(1), 1),
        ("ternary(alpha=1)", "quantized_bits(6,0,1)", 2 * 0.3 * add(6), 6),
        ("quantized_bits(6,0,1,alpha=1)", "ternary(alpha=1)", 2 * 0.3 * add(6), 6),
        ("binary(use_01=1,alpha=1)", "quantized_bits(6,0,1)", 0.1 * add(6), 6),
        ("quantized_bits(6,0,1,alpha=1)", "quantized_relu(1,1)", 0.1 * add(6), 6),
        # 3 bits: a sign and exponents -2 .. 1, so 3 bits more than the value
        (
            "quantized_po2(3)",
            "quantized_bits(6,0,1)",
            add(sqrt(2**3 * 6) * log10(sqrt(2**3 * 6))),
            6 + 2 + 1,
        ),
        # exponents are added: 4 bits, -4 .. 3, a sign
        ("quantized_po2(3)", "quantized_po2(3)", add(4), 4 + 3 + 1),
    ],
)
def test_recurrent_multipliers(recurrent: str, state: str, product: float, width: int) -> None:
    kernel = "quantized_bits(2,0,1,alpha=1)"
    description = layer(
        cell="SimpleRNN", kernel=kernel, recurrent_kernel=recurrent, bias=kernel, state=state
    ).with_quantizers({"input": "quantized_bits(2,0,1)"})
    (rnn,) = network_cost(description, FP32).layers
    assert rnn.op_cost == pytest.approx(
        24 * (mul(2, 2) + add(4 + 2))
        + 27 * (product + add(width + 2))
        + 9 * add(max(4 + 2, width + 2))
    )


def test_float_state_with_quantized_weights() -> None:
    """A tensor without quantizer costs as in the reference: here a float operand."""
    weight = "quantized_bits(6,0,1,alpha=1)"
    description = layer(
        cell="SimpleRNN", kernel=weight, recurrent_kernel=weight, bias=weight
    ).with_quantizers({"input": "quantized_bits(10,0,1)"})
    (rnn,) = network_cost(description, FP32).layers
    assert rnn.op_cost == pytest.approx(24 * (mul(6, 10) + add(18)) + 27 * (MUL + ADD) + 9 * ADD)
    assert rnn.inputs == pytest.approx(sram(80) + 3 * sram(96))
    (eight,) = network_cost(description, settings()).layers
    assert eight.op_cost == pytest.approx(
        24 * (mul(6, 10) + add(18)) + 27 * (mul(6, 8) + add(16)) + 9 * add(18)
    )


def test_layer_without_quantizers_costs_the_reference() -> None:
    for cell in ("SimpleRNN", "LSTM", "GRU"):
        description = layer(cell=cell)
        assert network_cost(description, FP32) == network_cost(description, FP32, "reference")


def test_reference_ignores_quantizers() -> None:
    plain = float_network(Architecture("GRU", 4, 3))
    quantized = plain.with_quantizers(dict.fromkeys(plain.quantizers, "quantized_bits(3,0,1)"))
    assert network_cost(quantized, FP32, "reference") == network_cost(plain, FP32, "reference")


def test_mixed_float_widths_join_in_the_wider() -> None:
    """A float sum and a fixed-point sum are added in float, never as 'fp40'."""
    description = layer(cell="SimpleRNN", kernel="quantized_bits(30,0,1,alpha=1)").with_quantizers(
        {"input": "quantized_bits(30,0,1)"}
    )
    half = settings(reference_internal="fp16", reference_accumulator="fp16")
    (rnn,) = network_cost(description, half).layers
    assert rnn.op_cost == pytest.approx(24 * (mul(30, 30) + add(62)) + 27 * (1.1 + 0.4) + 9 * 0.4)


def test_an_operator_without_a_price_is_an_error() -> None:
    """A plain layer with float sums behind a power-of-two input: QTools has a bare KeyError."""
    description = layer(cell="SimpleRNN").with_quantizers({"input": "quantized_po2(4)"})
    mixed = settings(reference_internal="int8", reference_accumulator="fp32")
    with pytest.raises(EnergyError, match="shifter"):
        network_cost(description, mixed)
