"""Layers and types for hls4ml's recurrent templates."""

import numpy as np
import pytest

from pipeline.firmware.hls.gated_graph import build_gated_graph
from pipeline.firmware.hls.graph import HlsGraphError
from pipeline.integers.fixed_point import FixedPointError
from pipeline.integers.network import IntegerNetwork
from tests.integers.networks import fixed, powers, random_gated_network, real

KINDS = ["lstm", "gru"]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_layers_are_those_of_the_network(kind):
    network = random_gated_network(kind)
    graph = build_gated_graph(network, 1024, intel=False)
    assert [layer["class_name"] for layer in graph.layers] == ["InputLayer", kind.upper(), "Dense"]
    assert graph.recurrent == kind.upper()
    rnn, layer = graph.layers[1], network.gated
    assert rnn["table_size"] == 1024
    assert (rnn["activation"], rnn["recurrent_activation"]) == ("tanh", "sigmoid")
    np.testing.assert_array_equal(rnn["weight_data"], real(layer.kernel))
    np.testing.assert_array_equal(rnn["recurrent_weight_data"], real(layer.recurrent_kernel))
    bias = real(layer.bias)
    if kind == "gru":
        np.testing.assert_array_equal([rnn["bias_data"], rnn["recurrent_bias_data"]], bias)
    else:
        np.testing.assert_array_equal(rnn["bias_data"], bias)


@pytest.mark.parametrize("kind", KINDS)
def test_types_follow_the_quantisers(kind):
    network = random_gated_network(kind)
    types = build_gated_graph(network, 1024, intel=False).precisions["rnn"]
    assert types["result"] == network.gated.state
    table = types["table"]
    assert (table.bits, table.fraction_bits, table.rounding, table.overflow) == (
        13, 12, "RND_CONV", "SAT",
    )  # fmt: skip
    assert types["weight"].bits <= 8
    assert types["recurrent_weight"].bits <= 6
    assert types["recurrent_weight"] != types["weight"]


@pytest.mark.parametrize("kind", KINDS)
def test_intel_has_one_type_for_both_kernels_and_one_for_both_biases(kind):
    network = random_gated_network(kind)
    types = build_gated_graph(network, 1024, intel=True).precisions["rnn"]
    assert types["weight"] == types["recurrent_weight"]
    assert types["bias"] == types["recurrent_bias"]
    own = build_gated_graph(network, 1024, intel=False).precisions["rnn"]
    assert types["weight"].fraction_bits == max(
        own["weight"].fraction_bits, own["recurrent_weight"].fraction_bits
    )
    assert ("weight_i" in types) == (kind == "lstm")


@pytest.mark.parametrize("kind", KINDS)
def test_the_accumulator_holds_every_sum_and_product(kind):
    network = random_gated_network(kind, units=4)
    rnn = network.gated
    of = build_gated_graph(network, 1024, intel=False).precisions["rnn"]["accum"]
    samples = 2.0 ** (network.input.bits - 1 - network.input.fraction_bits)
    state = 2.0 ** (rnn.state.bits - 1 - rnn.state.fraction_bits)
    largest = (
        np.abs(real(rnn.kernel)).sum(0) * samples
        + np.abs(real(rnn.recurrent_kernel)).sum(0) * state
        + np.abs(np.atleast_2d(real(rnn.bias))).sum(0)
    ).max()
    assert largest <= 2.0 ** (of.bits - 1 - of.fraction_bits)
    sums = network.accumulators[0]
    assert of.fraction_bits >= sums.fraction_bits + (12 if kind == "gru" else 0)
    if kind == "lstm":
        assert of.fraction_bits >= 24


def test_what_does_not_fit_is_refused():
    tree = random_gated_network("gru").model_dump()
    tree["layers"][1]["activation"] = fixed(54, 1)
    with pytest.raises(HlsGraphError, match="limited to 53 bits, found 54"):
        build_gated_graph(IntegerNetwork.model_validate(tree), 1024, intel=False)
    tree = random_gated_network("gru").model_dump()
    tree["layers"][0]["tanh"] = fixed(50, 1)
    with pytest.raises(FixedPointError, match="bits is needed, the limit is 62"):
        build_gated_graph(IntegerNetwork.model_validate(tree), 1024, intel=False)


@pytest.mark.parametrize("name", ["state", "tanh", "sigmoid"])
def test_powers_of_two_inside_the_cell_are_refused(name):
    tree = random_gated_network("lstm").model_dump()
    tree["layers"][0][name] = powers(6, 2)
    with pytest.raises(HlsGraphError, match=f"rnn: {name}: .* hls4ml's LSTM and GRU round inside"):
        build_gated_graph(IntegerNetwork.model_validate(tree), 1024, intel=False)
