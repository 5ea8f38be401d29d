"""The widest sum of a search space against the sums of networks whose weights are known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.architecture import Architecture
from pipeline.base.errors import PipelineError
from pipeline.firmware.rtl.shift_adds import RtlError, adder_graph
from pipeline.integers.network import IntegerNetwork
from pipeline.quantization.finetuning.export import to_integer_network
from pipeline.quantization.search.plan import sums
from pipeline.quantization.search.plan.sums import check_sums
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer

WEIGHTS = st.one_of(
    st.builds("quantized_bits({},{},1,alpha=1)".format, st.integers(2, 24), st.integers(0, 2)),
    st.sampled_from(["binary(alpha=1)", "binary(alpha=0.25)", "ternary(alpha=2.0)"]),
    st.builds("quantized_po2({},{})".format, st.integers(3, 6), st.sampled_from([1, 2, 4])),
)
VALUES = st.one_of(
    st.builds("quantized_relu({},{})".format, st.integers(2, 20), st.integers(0, 2)),
    st.builds("quantized_bits({},{},0,alpha=1)".format, st.integers(3, 20), st.integers(0, 2)),
)
BY_KIND = {"kernel": WEIGHTS, "recurrent_kernel": WEIGHTS, "bias": WEIGHTS}
POWERS = st.builds(
    "{}({},{})".format,
    st.sampled_from(["quantized_po2", "quantized_relu_po2"]),
    st.integers(3, 8),
    st.sampled_from([0, 0.5, 1, 3, 64]),
)
UNITS = 3


def quantizers_of(draw) -> dict[str, Quantizer]:
    architecture = Architecture("SimpleRNN", UNITS, 3)
    return {
        tensor: parse_quantizer(draw(BY_KIND.get(tensor.split("/")[-1], values(tensor))), tensor)
        for tensor in architecture.tensors
    }


def values(tensor: str) -> st.SearchStrategy[str]:
    return VALUES if tensor == "input" else VALUES | POWERS


def extreme_weights(quantizers: dict[str, Quantizer], rng) -> dict[str, np.ndarray]:
    """Weights of a random sign, each the largest, or the finest, that its quantizer has."""
    found = {}
    for name, shape in Architecture("SimpleRNN", UNITS, 3).weight_shapes.items():
        fraction_bits, largest = sums._weights(quantizers[name])
        step = Fraction(1, 2) ** fraction_bits
        top = largest - step if quantizers[name].name == "quantized_bits" else largest
        values = rng.choice([float(top), -float(top), float(step)], shape)
        found[name] = values
    return found


def bound(architecture: Architecture, quantizers: dict[str, Quantizer], monkeypatch) -> list[int]:
    """Bits that the plan counts for the recurrent and for the Dense sum."""
    monkeypatch.setattr(sums, "RTL_BITS", 0)
    with pytest.raises(PipelineError) as caught:
        check_sums(architecture, UNITS, {t: [q] for t, q in quantizers.items()})
    return [int(line.split("may need ")[1].split()[0]) for line in str(caught.value).splitlines()]


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 99))
def test_no_network_has_a_wider_sum(data, seed):
    architecture = Architecture("SimpleRNN", UNITS, 3)
    quantizers = quantizers_of(data.draw)
    weights = extreme_weights(quantizers, np.random.default_rng(seed))
    network = to_integer_network(architecture, weights, quantizers, 16.0)
    assert isinstance(network, IntegerNetwork)
    with pytest.MonkeyPatch.context() as patched:
        rnn, dense = bound(architecture, quantizers, patched)
    for accumulator in network.accumulators:
        assert accumulator.bits <= (dense if accumulator.name == "dense" else rnn)


def test_the_limit_is_that_of_the_rtl():
    architecture = Architecture("SimpleRNN", UNITS, 3)
    texts = {
        "input": "quantized_bits(24,0,0,alpha=1)",
        "rnn/kernel": "quantized_bits(27,0,1,alpha=1)",
        "rnn/recurrent_kernel": "binary(alpha=1)",
        "rnn/bias": "quantized_bits(4,0,1,alpha=1)",
        "rnn/activation": "quantized_relu(8,0)",
        "rnn/state": "quantized_relu(8,0)",
        "dense/kernel": "binary(alpha=1)",
        "dense/bias": "quantized_bits(4,0,1,alpha=1)",
        "dense/activation": "quantized_relu(8,0)",
    }
    quantizers = {tensor: parse_quantizer(text, tensor) for tensor, text in texts.items()}
    choices = {tensor: [quantizer] for tensor, quantizer in quantizers.items()}
    with pytest.raises(PipelineError, match=r"rnn: a sum may need 5\d bits, RTL has at most 51: "):
        check_sums(architecture, UNITS, choices)
    weights = extreme_weights(quantizers, np.random.default_rng(1))
    network = to_integer_network(architecture, weights, quantizers, 16.0)
    with pytest.raises(RtlError, match=r"RTL is limited to 51"):
        adder_graph(network, 2)
    choices["rnn/kernel"] = [parse_quantizer("quantized_bits(20,0,1,alpha=1)", "k")]
    check_sums(architecture, UNITS, choices)


@pytest.mark.parametrize("units", [16, 31, 32])
def test_powers_of_two_everywhere_leave_room_for_31_units(units):
    """The exponents of activations are chosen so: down to -15 and up to 7."""
    architecture = Architecture("SimpleRNN", 8, 5)
    by_kind = {"kernel": "quantized_po2(8,1)", "recurrent_kernel": "quantized_po2(8,1)",
               "bias": "quantized_po2(8,0)", "input": "quantized_bits(11,0,0,alpha=1)"}  # fmt: skip
    choices = {
        tensor: [
            parse_quantizer(by_kind.get(tensor.split("/")[-1], "quantized_relu_po2(8,0)"), tensor)
        ]
        for tensor in architecture.tensors
    }
    if units <= 31:
        check_sums(architecture, units, choices)
        return
    with pytest.raises(PipelineError, match=r"rnn: a sum may need 52 bits, RTL has at most 51: "):
        check_sums(architecture, units, choices)


def test_the_widest_of_many_choices_counts_and_units_do():
    architecture = Architecture("SimpleRNN", 8, 5)
    texts = {tensor: ["quantized_bits(8,0,0,alpha=1)"] for tensor in architecture.tensors}
    many = [
        f"quantized_bits({bits},{whole},0,alpha=1)" for bits in range(4, 24) for whole in (0, 3)
    ]
    texts |= {"rnn/kernel": many, "rnn/recurrent_kernel": many, "rnn/bias": many}
    choices = {t: [parse_quantizer(text, t) for text in some] for t, some in texts.items()}
    check_sums(architecture, 512, choices)
    wide = [parse_quantizer("quantized_relu(22,0)", "s")]
    check_sums(architecture, 2, choices | {"rnn/state": wide})
    with pytest.raises(
        PipelineError, match=r"rnn: a sum may need .*rnn/state quantized_relu\(22,0"
    ):
        check_sums(architecture, 512, choices | {"rnn/state": wide})


def test_what_stays_float_is_in_no_sum():
    wide = [parse_quantizer("quantized_bits(32,0,0,alpha=1)", "k")]
    check_sums(Architecture("SimpleRNN", 8, 5), 8, {"rnn/kernel": wide, "rnn/bias": wide})
