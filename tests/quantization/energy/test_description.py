"""Descriptions are consistent, or not made; bits are counted from them."""

from typing import Any

import pytest

from pipeline.base.architecture import Architecture, quantized_tensors
from pipeline.quantization.energy.description import (
    ActivationDescription,
    DenseDescription,
    EnergyError,
    NetworkDescription,
    RecurrentDescription,
    float_network,
)
from pipeline.quantization.energy.network import network_cost, with_reference
from tests.quantization.energy_settings import settings


def recurrent(**changes: Any) -> RecurrentDescription:
    defaults = {"name": "rnn", "cell": "SimpleRNN", "features": 1, "units": 8, "timesteps": 5}
    return RecurrentDescription(**defaults | changes)


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_quantizers_have_the_names_of_the_network(cell: Any) -> None:
    assert sorted(float_network(Architecture(cell, 8, 5)).quantizers) == sorted(
        quantized_tensors(cell)
    )


def test_default_network() -> None:
    network = float_network(Architecture("SimpleRNN", 8, 5))
    assert network.parameters == 89
    assert [layer.name for layer in network.layers] == ["rnn", "dense"]


@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        ({"cell": "LSTM"}, 4 * (8 + 64 + 8)),
        ({"cell": "GRU"}, 3 * (8 + 64 + 8)),
        ({"cell": "GRU", "reset_after": True}, 3 * (8 + 64 + 16)),
        ({"use_bias": False, "features": 3}, 24 + 64),
    ],
)
def test_parameters(changes: dict[str, Any], parameters: int) -> None:
    assert NetworkDescription((recurrent(**changes),)).parameters == parameters


def test_with_quantizers_changes_only_what_is_named() -> None:
    network = float_network(Architecture("LSTM", 4, 3)).with_quantizers(
        {"rnn/state": "quantized_bits(8,2,0)"}
    )
    changed = network.with_quantizers({"input": "quantized_bits(12,0,0)", "dense/bias": "binary"})
    assert network.input is None
    assert {key: text for key, text in changed.quantizers.items() if text is not None} == {
        "input": "quantized_bits(12,0,0)",
        "rnn/state": "quantized_bits(8,2,0)",
        "dense/bias": "binary",
    }
    assert changed.with_quantizers({"input": None}).input is None


@pytest.mark.parametrize("key", ["rnn/recurrent_activation", "rnn/units", "kernel", "lstm/kernel"])
def test_unknown_tensor(key: str) -> None:
    with pytest.raises(EnergyError, match=key):
        float_network(Architecture("SimpleRNN", 8, 5)).with_quantizers({key: "binary"})


def test_a_layer_without_bias_has_no_bias_quantizer() -> None:
    network = NetworkDescription((recurrent(use_bias=False),))
    assert "rnn/bias" not in network.quantizers


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cell": "Bidirectional"}, "cell"),
        ({"reset_after": True}, "reset_after"),
        ({"unrounded_output": True}, "unrounded_output"),
        ({"recurrent_activation": "binary"}, "no gates"),
        ({"units": 0}, "at least 1"),
        ({"timesteps": 0}, "at least 1"),
    ],
)
def test_impossible_layers(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EnergyError, match=message):
        recurrent(**changes)


def test_impossible_networks() -> None:
    dense = DenseDescription(name="dense", features=8, units=1)
    with pytest.raises(EnergyError, match="at least one layer"):
        NetworkDescription(())
    with pytest.raises(EnergyError, match="different layer names"):
        NetworkDescription((dense, dense))
    with pytest.raises(EnergyError, match="dense: expected input of shape"):
        NetworkDescription((recurrent(return_sequences=True), dense))
    with pytest.raises(EnergyError, match="at least 1"):
        ActivationDescription(name="relu", shape=())


def test_stacked_layers_read_the_sequence() -> None:
    network = NetworkDescription(
        (
            recurrent(return_sequences=True),
            recurrent(name="second", features=8, units=2),
            DenseDescription(name="dense", features=2, units=1),
        )
    )
    energy = network_cost(network, settings(), "reference")
    assert energy.layer("second").macs == 5 * 8 * 2 + 4 * 2 * 2
    assert energy.layer("rnn").outputs > energy.layer("rnn").inputs
    assert energy.layers[0].bits.activations == {"state": 8 * 8, "output": 5 * 8 * 8}


def test_bits_of_a_quantized_network() -> None:
    network = float_network(Architecture("LSTM", 4, 3)).with_quantizers(
        {
            "input": "quantized_bits(12,0,0)",
            "rnn/kernel": "ternary(alpha=1)",
            "rnn/recurrent_kernel": "quantized_bits(5,0,1,alpha=1)",
            "rnn/state": "quantized_bits(7,2,0)",
            "rnn/activation": "quantized_tanh(6)",
            "rnn/recurrent_activation": "quantized_sigmoid(4)",
            "dense/kernel": "quantized_po2(4)",
            "dense/activation": "quantized_relu(9,1)",
        }
    )
    cost = network_cost(network, settings())
    assert cost.input_bits == 3 * 12
    rnn, dense = (layer.bits for layer in cost.layers)
    # the bias is not quantized: the reference's 8 bits
    assert rnn.parameters == {"kernel": 16 * 2, "recurrent_kernel": 64 * 5, "bias": 16 * 8}
    # h and c; h leaves as it is stored
    assert rnn.activations == {"state": 2 * 4 * 7, "output": 4 * 7}
    assert dense.parameters == {"kernel": 4 * 4, "bias": 8}
    assert dense.activations == {"output": 9}
    assert cost.weight_bits == 32 + 320 + 128 + 16 + 8
    assert cost.activation_bits == 36 + 56 + 28 + 9
    assert cost.bits == cost.weight_bits + cost.activation_bits


def test_bits_of_the_float_network() -> None:
    params = with_reference(settings(), "fp32", "fp32")
    cost = network_cost(float_network(Architecture("SimpleRNN", 8, 5)), params, "reference")
    assert cost.weight_bits == 89 * 32
    assert cost.activation_bits == (5 + 8 + 8 + 1) * 32


def test_energy_in_nanojoule() -> None:
    energy = network_cost(float_network(Architecture("SimpleRNN", 8, 5)), settings(), "reference")
    by_layer = energy.by_layer_nj()
    assert energy.total_nj == pytest.approx(energy.total / 1000)
    assert by_layer["rnn"]["op_cost"] == pytest.approx(energy.layer("rnn").op_cost / 1000)
    assert sum(layer["total"] for layer in by_layer.values()) == pytest.approx(energy.total_nj)
    with pytest.raises(KeyError):
        energy.layer("lstm")
