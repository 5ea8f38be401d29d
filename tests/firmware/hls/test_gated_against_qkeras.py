"""QKeras computes what the templates would with tables of infinitely many entries."""

import numpy as np
import pytest

from pipeline.base.architecture import Architecture
from tests.integers.networks import gated_reference
from tests.quantization.quantizer_sets import quantizer_set, random_weights, random_windows


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_only_float32_separates_qkeras_from_the_definition(cell):
    pytest.importorskip("tensorflow")
    from pipeline.networks.float_network import get_weights, set_weights
    from pipeline.quantization.finetuning.export import to_integer_network
    from pipeline.quantization.training.network import build_quantized_network, freeze

    quantizers = quantizer_set("8 bits", cell, dense_activation="quantized_relu(12,0)")
    architecture = Architecture(cell, 4, 5)
    model = build_quantized_network(architecture, quantizers)
    set_weights(model, random_weights(architecture.weight_shapes))
    freeze(model)
    network = to_integer_network(architecture, get_weights(model), quantizers, 16.0)

    windows = random_windows(4000)
    quantized = model(windows[..., None], training=False).numpy()[:, 0]
    expected = gated_reference(network, windows, round_memory_first=False)
    differing = np.flatnonzero(quantized != expected)
    assert len(np.unique(quantized)) > 100
    # tanh of float32 falls on the other side of a rounding boundary now and then.
    assert len(differing) < 0.005 * len(windows)
    assert np.abs(quantized - expected).max() <= 2 * 2.0**-12
