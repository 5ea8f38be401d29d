"""QKeras in float64 equals the integers where QKeras in float32 cannot."""

import numpy as np
import pytest
import qkeras
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.firmware.hls.verification import check_golden
from pipeline.networks.fitting import WindowData
from pipeline.quantization.finetuning.double_precision import precision_metrics, predict_double
from tests.integers.networks import random_windows
from tests.quantization.quantizer_sets import frozen_network

pytestmark = pytest.mark.filterwarnings(
    "ignore:non-integer arguments to randrange:DeprecationWarning"
)
LENGTH = 5
CASES = {
    "8 bits": (8, "quantized_bits(8,1,0,alpha=1)", "quantized_relu(8,0)"),
    "16 bits": (16, "quantized_bits(16,1,0,alpha=1)", "quantized_relu(16,0)"),
    "16 bits, scale": (16, "quantized_bits(16,1,0,alpha='auto_po2')", "quantized_relu(16,0)"),
    "16 bits, half up": (16, "quantized_bits(16,1,0,alpha=1)",
                         "quantized_relu(16,0,rounding='half_up')"),
    "20 bits, signed": (20, "quantized_bits(20,1,0,alpha=1)", "quantized_bits(20,1,0,alpha=1)"),
    "powers of two": (16, "quantized_po2(6,1)", "quantized_relu(16,0)"),
}  # fmt: skip


def network_of(name: str):
    bits, kernel, activation = CASES[name]
    bias = f"quantized_bits({bits},0,0,alpha=1)"
    texts = {
        "input": bias,
        "rnn/kernel": kernel,
        "rnn/recurrent_kernel": kernel,
        "rnn/bias": bias,
        "rnn/activation": activation,
        "rnn/state": activation,
        "dense/kernel": kernel,
        "dense/bias": bias,
        "dense/activation": activation,
    }
    return frozen_network(texts, 8, LENGTH)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_equals_the_integers_bit_for_bit(name):
    model, quantizers, weights, network = network_of(name)
    sequence = random_windows(network, 8000).ravel() * np.float32(0.3)
    data = WindowData(tf.constant(sequence), tf.constant(sequence), LENGTH, LENGTH)
    windows = np.lib.stride_tricks.sliding_window_view(sequence, LENGTH)[: data.n_windows]
    double = predict_double(Architecture("SimpleRNN", 8, LENGTH), quantizers, weights, data)
    assert double.dtype == np.float64
    assert len(np.unique(double)) > 100
    _, comparison = check_golden(network, windows, double.astype(np.float32), 0.0)
    assert comparison.mismatches == 0

    single = model(windows[..., None], training=False).numpy()[:, 0]
    found = precision_metrics(single, double, 16.0)
    assert found["qkeras_float_bits"] == 64
    assert network.float32_exact == (name == "8 bits")
    # That float32 may round does not say that it does: so few powers of two meet no tie.
    assert (found["float32_mismatches"] == 0) == (name in ("8 bits", "powers of two"))


def test_precision_is_reported_in_mev():
    single = np.float32([0.0, 0.5, 1.0])
    same = {"qkeras_float_bits": 32, "float32_mismatches": 0, "float32_max_difference_mev": 0.0}
    assert precision_metrics(single, single, 16.0) == same
    found = precision_metrics(single, np.float64([0.0, 0.5 + 2**-40, 1.0 - 2**-4]), 16.0)
    assert found["float32_mismatches"] == 2
    assert found["float32_max_difference_mev"] == 1000.0


@pytest.mark.slow
def test_afterwards_everything_is_float32_again():
    _, quantizers, weights, _ = network_of("16 bits")
    before = qkeras.quantizers.K, qkeras.quantizers.tf
    samples = tf.constant(np.zeros(20, np.float32))
    data = WindowData(samples, samples, LENGTH, LENGTH)
    weights["dense/kernel"] = weights["dense/kernel"][1:]
    with pytest.raises(ValueError, match="shape"):
        predict_double(Architecture("SimpleRNN", 8, LENGTH), quantizers, weights, data)
    assert tf.keras.backend.floatx() == "float32"
    assert (qkeras.quantizers.K, qkeras.quantizers.tf) == before
