"""The golden model equals QKeras itself, bit for bit, on networks that float32 holds."""

import numpy as np
import pytest

from pipeline.firmware.hls.verification import check_golden
from tests.integers.networks import random_windows
from tests.quantization.quantizer_sets import frozen_network

BITS = "quantized_bits({},{},0,alpha=1)"
RELU = "quantized_relu({},0)"
WIDE = RELU.format(12)

# kernel and recurrent kernel, bias, activation, state, output
CASES = {
    "8 bits": (8, BITS.format(8, 1), BITS.format(10, 0), RELU.format(8), RELU.format(8), WIDE),
    "4 bits": (8, BITS.format(4, 1), BITS.format(6, 0), RELU.format(6), RELU.format(5), WIDE),
    "12 bits": (8, BITS.format(12, 1), BITS.format(12, 0), WIDE, WIDE, WIDE),
    "powers of two": (
        16,
        "quantized_po2(6,1)",
        BITS.format(10, 0),
        RELU.format(8),
        RELU.format(8),
        WIDE,
    ),
    "signed": (
        8,
        BITS.format(6, 1),
        BITS.format(8, 0),
        BITS.format(9, 1),
        BITS.format(7, 1),
        BITS.format(14, 1),
    ),
}


# Keras 2.15 draws the seeds of its initializers with randint(1, 1e9).
@pytest.mark.filterwarnings("ignore:non-integer arguments to randrange:DeprecationWarning")
@pytest.mark.parametrize("name", CASES)
def test_equals_qkeras(name):
    pytest.importorskip("tensorflow")
    units, kernel, bias, activation, state, output = CASES[name]
    texts = {
        "input": BITS.format(12, 0),
        "rnn/kernel": kernel,
        "rnn/recurrent_kernel": kernel,
        "rnn/bias": bias,
        "rnn/activation": activation,
        "rnn/state": state,
        "dense/kernel": kernel,
        "dense/bias": bias,
        "dense/activation": output,
    }
    model, _, _, network = frozen_network(texts, units, 5)

    windows = random_windows(network, 20_000) * np.float32(0.3)
    quantized = model(windows[..., None], training=False).numpy()[:, 0]
    _, comparison = check_golden(network, windows, quantized, 0.0)
    assert comparison.mismatches == 0
    assert len(np.unique(quantized)) > 20
