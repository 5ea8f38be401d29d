"""Weights that are powers of two: frozen, exported, and equal to QKeras bit for bit."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.integers.golden import evaluate
from pipeline.networks.fitting import WindowData
from pipeline.networks.float_network import get_weights, set_weights
from pipeline.quantization.finetuning.double_precision import predict_double
from pipeline.quantization.finetuning.export import to_integer_network
from pipeline.quantization.training.network import build_quantized_network, freeze, frozen_weights
from pipeline.quantizers.hardware import check_exportable
from pipeline.quantizers.quantizer import SMALLEST_EXPONENT, QuantizerError
from tests.quantization.quantizer_sets import quantizer_set, random_weights

UNITS, LENGTH = 3, 3
WEIGHTS = ("rnn/kernel", "rnn/recurrent_kernel", "rnn/bias", "dense/kernel", "dense/bias")
TEXTS = [
    "quantized_po2(8,2)", "quantized_po2(8,1)", "quantized_po2(8,0)", "quantized_po2(8)",
    "quantized_po2(8,0.25)", "quantized_relu_po2(8,2)", "quantized_relu_po2(8,1)",
    "quantized_relu_po2(6,2,1)", "quantized_po2(16,4)", "quantized_po2(6,1)",
    "quantized_po2(8,2,quadratic_approximation=1)", "quantized_po2(8,2,use_stochastic_rounding=1)",
]  # fmt: skip


def start(architecture):
    """Random weights with both zeros, and numbers on both sides of what QKeras takes for 0."""
    weights = random_weights(architecture.weight_shapes, 0)
    kernel = weights["rnn/recurrent_kernel"].reshape(-1)
    kernel[:7] = [0, -0.0, 1e-9, -1e-9, 1.1e-7, -5e-8, 1e-30]
    weights["dense/bias"][:] = 0
    return weights


def quantizers_of(text, cell="SimpleRNN"):
    changed = {tensor.replace("/", "_"): text for tensor in WEIGHTS}
    return quantizer_set("8 bits", cell=cell, **changed)


@pytest.mark.parametrize("text", TEXTS)
def test_zero_and_all_else_has_a_hardware_form_and_qkeras_agrees(text):
    architecture = Architecture("SimpleRNN", UNITS, LENGTH)
    quantizers = quantizers_of(text)
    check_exportable(architecture, quantizers)
    model = build_quantized_network(architecture, quantizers)
    set_weights(model, start(architecture))
    freeze(model)
    weights = get_weights(model)
    quantizer = quantizers["rnn/kernel"].build()
    quantizer.use_ste = False
    for name, values in weights.items():
        exponents = np.log2(np.abs(values.astype(np.float64)))
        np.testing.assert_array_equal(exponents, np.rint(exponents), err_msg=name)
        assert exponents.min() >= SMALLEST_EXPONENT
        np.testing.assert_array_equal(quantizer(tf.constant(values)).numpy(), values, err_msg=name)
    network = to_integer_network(architecture, weights, quantizers, 16.0)
    for layer in network.layers:
        assert layer.kernel.type.bits <= 32
    rng = np.random.default_rng(1)
    sequence = rng.uniform(-1, 1, 2000).astype(np.float32)
    data = WindowData(tf.constant(sequence), tf.constant(sequence), LENGTH, LENGTH)
    windows = np.lib.stride_tricks.sliding_window_view(sequence, LENGTH)[: data.n_windows]
    double = predict_double(architecture, quantizers, weights, data)
    np.testing.assert_array_equal(evaluate(network, windows), double)


@pytest.mark.parametrize("text", ["quantized_relu_po2(6,2,0.5)", "quantized_relu(6,1,0,0.25)"])
@pytest.mark.parametrize("tensor", WEIGHTS)
def test_a_leaky_quantizer_of_weights_is_refused_before_training(text, tensor):
    quantizers = quantizer_set("8 bits", **{tensor.replace("/", "_"): text})
    with pytest.raises(QuantizerError, match=f"^{tensor}: .*each time.*without negative_slope"):
        check_exportable(Architecture("SimpleRNN", UNITS, LENGTH), quantizers)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_gated_cells_export_too(cell):
    architecture = Architecture(cell, UNITS, LENGTH)
    quantizers = quantizers_of("quantized_po2(8,2)", cell)
    check_exportable(architecture, quantizers)
    weights = frozen_weights(architecture, quantizers, start(architecture))
    network = to_integer_network(architecture, weights, quantizers, 16.0)
    assert network.gated.recurrent_kernel.type.fraction_bits == -SMALLEST_EXPONENT
    assert all(accumulator.bits < 62 for accumulator in network.accumulators)


def test_signs_survive_and_powers_above_stay():
    architecture = Architecture("SimpleRNN", UNITS, LENGTH)
    frozen = frozen_weights(architecture, quantizers_of("quantized_po2(8,1)"), start(architecture))
    floor = 2.0**SMALLEST_EXPONENT
    found = frozen["rnn/recurrent_kernel"].reshape(-1)[:7]
    np.testing.assert_array_equal(found, [floor, floor, floor, -floor, floor, -floor, floor])
    few = frozen_weights(architecture, quantizers_of("quantized_po2(4)"), start(architecture))
    assert np.abs(few["rnn/recurrent_kernel"]).min() == 2.0**-4  # what QKeras makes of 0
