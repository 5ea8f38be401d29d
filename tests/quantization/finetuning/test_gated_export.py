"""Quantized values and quantizer strings of an LSTM or a GRU as integers and types."""

import numpy as np
import pytest

from pipeline.base.architecture import Architecture, network_shapes, quantized_tensors
from pipeline.quantization.finetuning.export import to_integer_network
from pipeline.quantizers.hardware import check_exportable, stored_type
from pipeline.quantizers.quantizer import QuantizerError
from tests.quantization.quantizer_sets import quantizer_set, random_weights

CELLS = ["LSTM", "GRU"]


def on_the_grid(cell):
    """Weights in steps of 2**-5, that is, of the set "6 bits"; biases too."""
    weights = random_weights(network_shapes(cell, 3))
    return {name: np.clip(np.rint(w * 32) / 32, -1, 31 / 32) for name, w in weights.items()}


@pytest.mark.parametrize("cell", CELLS)
def test_integers_and_types_are_those_of_the_network(cell):
    weights, quantizers = on_the_grid(cell), quantizer_set("6 bits", cell)
    architecture = Architecture(cell, 3, 5)
    check_exportable(architecture, quantizers)
    network = to_integer_network(architecture, weights, quantizers, 16.0)
    assert not network.exact
    rnn = network.gated
    for name in ("kernel", "recurrent_kernel", "bias"):
        tensor = getattr(rnn, name)
        np.testing.assert_array_equal(tensor.array * tensor.type.step, weights[f"rnn/{name}"])
    assert (rnn.kind, rnn.units) == (cell.lower(), 3)
    assert (rnn.tanh.signed, rnn.tanh.bits, rnn.tanh.fraction_bits) == (True, 13, 12)
    assert (rnn.sigmoid.signed, rnn.sigmoid.bits, rnn.sigmoid.fraction_bits) == (False, 12, 12)
    assert (rnn.state.signed, rnn.state.bits, rnn.state.fraction_bits) == (True, 14, 12)


def test_a_simple_rnn_becomes_the_exact_network():
    weights, quantizers = on_the_grid("SimpleRNN"), quantizer_set("6 bits")
    network = to_integer_network(Architecture("SimpleRNN", 3, 5), weights, quantizers, 16.0)
    assert network.exact


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tensor", quantized_tensors("GRU"))
def test_a_tensor_without_quantizer_cannot_be_exported(cell, tensor):
    quantizers = quantizer_set("6 bits", cell)
    del quantizers[tensor]
    with pytest.raises(QuantizerError, match=rf"no quantizer for {tensor} \(search"):
        check_exportable(Architecture(cell, 3, 5), quantizers)


def test_the_place_decides_what_a_type_may_be():
    quantizers = quantizer_set("6 bits")
    relu = quantizers["rnn/activation"]
    assert stored_type(Architecture("SimpleRNN", 3, 5), "rnn/state", relu, "k").signed is False
    assert stored_type(Architecture("GRU", 3, 5), "dense/activation", relu, "k").signed is False
    with pytest.raises(QuantizerError, match=r"k: quantized_relu\(8,0\): .*both signs"):
        stored_type(Architecture("GRU", 3, 5), "rnn/state", relu, "k")
    with pytest.raises(QuantizerError, match=r"k: .*expected quantized_tanh"):
        stored_type(Architecture("LSTM", 3, 5), "rnn/activation", relu, "k")
    with pytest.raises(QuantizerError, match=r"k: .*expected quantized_sigmoid"):
        stored_type(Architecture("LSTM", 3, 5), "rnn/recurrent_activation", relu, "k")
