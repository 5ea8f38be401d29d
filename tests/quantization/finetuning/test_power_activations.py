"""States and activations that are powers of two: QKeras and the integers agree bit for bit."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.integers.golden import evaluate
from pipeline.networks.fitting import WindowData
from pipeline.quantization.finetuning.double_precision import predict_double
from pipeline.quantization.finetuning.profile import _tensor
from pipeline.quantization.training.network import build_quantized_network
from pipeline.quantizers import qkeras_compat
from pipeline.quantizers.hardware import check_exportable
from pipeline.quantizers.quantizer import QuantizerError
from tests.quantization.quantizer_sets import frozen_network, quantizer_set, random_windows

UNITS, LENGTH = 4, 4
CASES = {
    "activation": {"rnn_activation": "quantized_relu_po2(4,0)"},
    "activation, no limit": {"rnn_activation": "quantized_relu_po2(8,0)"},
    "state": {"rnn_state": "quantized_relu_po2(4)"},
    "state with a sign": {"rnn_activation": "quantized_bits(8,1,0,alpha=1)",
                          "rnn_state": "quantized_po2(4,2)"},
    "both": {"rnn_activation": "quantized_relu_po2(4)", "rnn_state": "quantized_relu_po2(3)"},
    "both with a sign": {"rnn_activation": "quantized_po2(5,2)", "rnn_state": "quantized_po2(8,0)"},
    "dense": {"dense_activation": "quantized_relu_po2(8,1)"},
    "dense with a sign": {"dense_activation": "quantized_po2(4)"},
    "all": dict.fromkeys(("rnn_activation", "rnn_state", "dense_activation"),
                         "quantized_relu_po2(8,0)"),
    "weights too": {"rnn_kernel": "quantized_po2(4,1)", "rnn_recurrent_kernel": "quantized_po2(4)",
                    "dense_kernel": "quantized_po2(4,1)", "rnn_activation": "quantized_relu_po2(4)",
                    "rnn_state": "quantized_relu_po2(4)"},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_qkeras_equals_the_integers_in_single_and_double_precision(name):
    architecture = Architecture("SimpleRNN", UNITS, LENGTH)
    quantizers = quantizer_set("6 bits", **CASES[name])
    check_exportable(architecture, quantizers)
    texts = {tensor: quantizer.text for tensor, quantizer in quantizers.items()}
    model, quantizers, weights, network = frozen_network(texts, UNITS, LENGTH)
    sequence = random_windows(4000, LENGTH).ravel()
    windows = np.lib.stride_tricks.sliding_window_view(sequence, LENGTH)
    expected = evaluate(network, windows)
    assert len(np.unique(expected)) > 3
    data = WindowData(tf.constant(sequence), tf.constant(sequence), LENGTH, LENGTH)
    double = predict_double(architecture, quantizers, weights, data)
    np.testing.assert_array_equal(double, expected[: data.n_windows])
    if network.float32_exact:
        single = model(tf.constant(windows[..., None]), training=False).numpy()[:, 0]
        np.testing.assert_array_equal(single, expected)


def test_most_of_these_networks_are_exact_in_float32():
    """So that the comparison above is one in both precisions."""
    exact = {
        name: frozen_network(
            {t: q.text for t, q in quantizer_set("6 bits", **changed).items()}, UNITS, LENGTH
        )[3].float32_exact
        for name, changed in CASES.items()
    }
    assert [name for name, is_exact in exact.items() if not is_exact] == []


def test_weights_keep_the_class_of_qkeras():
    quantizers = quantizer_set("powers of two", rnn_state="quantized_po2(4)")
    model = build_quantized_network(Architecture("SimpleRNN", UNITS, LENGTH), quantizers)
    kernel, _, _, state = model.get_layer("rnn").get_quantizers()
    assert type(kernel) is qkeras_compat.POWERS_OF_TWO[0]
    assert type(state) is not type(kernel)
    assert isinstance(state, qkeras_compat.POWERS_OF_TWO[0])


@pytest.mark.parametrize("tensor", ["rnn_activation", "rnn_state", "dense_activation"])
def test_training_moves_weights_through_it(tensor):
    quantizers = quantizer_set("6 bits", **{tensor: "quantized_relu_po2(4)"})
    model = build_quantized_network(Architecture("SimpleRNN", UNITS, LENGTH), quantizers)
    windows = tf.constant(np.abs(random_windows(64, LENGTH))[..., None])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(windows, training=True) - 0.3))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.isfinite(g).all() for g in gradients)
    assert any(np.abs(g).max() > 0 for g in gradients)


@pytest.mark.parametrize("tensor", ["rnn_activation", "rnn_state", "dense_activation"])
def test_what_has_no_hardware_form_is_refused_before_training(tensor):
    quantizers = quantizer_set("6 bits", **{tensor: "quantized_relu_po2(4,0,0.5)"})
    with pytest.raises(QuantizerError, match=f"^{tensor.replace('_', '/')}: .*negative_slope"):
        check_exportable(Architecture("SimpleRNN", UNITS, LENGTH), quantizers)


def test_the_profile_says_the_range_of_its_values():
    quantizers = quantizer_set("6 bits", rnn_state="quantized_relu_po2(4)")
    architecture = Architecture("SimpleRNN", UNITS, LENGTH)
    row = _tensor(architecture, "rnn/state", quantizers["rnn/state"], {})
    assert (row.lowest, row.highest) == (2.0**-8, 2.0**7)
