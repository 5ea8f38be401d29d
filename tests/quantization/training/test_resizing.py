"""Networks of another width: growing changes nothing, pruning keeps what matters."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.base.architecture import Architecture, network_shapes, units_of
from pipeline.networks.float_network import build_float_network, set_weights
from pipeline.quantization.training.resizing import (
    hidden_states,
    network_output,
    resize,
    scaled_units,
)
from tests.quantization.quantizer_sets import random_weights, random_windows

CELLS = ["SimpleRNN", "LSTM", "GRU"]
LENGTH = 4
SAMPLES = random_windows(400, LENGTH)


def weights_of(cell: str, units: int):
    return random_weights(Architecture(cell, units, LENGTH).weight_shapes)


def loss(weights, cell, targets):
    return float(np.mean((network_output(weights, cell, SAMPLES) - targets) ** 2))


@pytest.mark.parametrize("cell", CELLS)
def test_the_numpy_network_is_the_keras_network(cell):
    weights = weights_of(cell, 3)
    model = build_float_network(Architecture(cell, 3, LENGTH))
    set_weights(model, weights)
    expected = model(SAMPLES[..., None], training=False).numpy()[:, 0]
    assert np.ptp(expected) > 0.02
    np.testing.assert_allclose(network_output(weights, cell, SAMPLES), expected, atol=1e-6)
    assert len(hidden_states(weights, cell, SAMPLES)) == LENGTH


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("units", [4, 6])
def test_a_grown_network_is_the_same_function(cell, units):
    weights = weights_of(cell, 3)
    before = network_output(weights, cell, SAMPLES)
    grown = resize(weights, cell, units, SAMPLES, before)
    assert {n: w.shape for n, w in grown.items()} == network_shapes(cell, units)
    assert all(w.dtype == np.float32 for w in grown.values())
    np.testing.assert_allclose(network_output(grown, cell, SAMPLES), before, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_the_units_that_a_grown_network_has_too_many_can_be_pruned_again(cell):
    """The Dense layer is fitted only where its ReLU passes, hence not exactly."""
    weights = weights_of(cell, 3)
    targets = network_output(weights, cell, SAMPLES)
    grown = resize(weights, cell, 4, SAMPLES, targets)
    pruned = resize(grown, cell, 3, SAMPLES, targets)
    assert {n: w.shape for n, w in pruned.items()} == network_shapes(cell, 3)
    assert loss(pruned, cell, targets) < 0.5 * np.var(targets)


def test_a_unit_that_gives_nothing_is_the_one_that_goes():
    weights = weights_of("SimpleRNN", 4)
    weights["dense/kernel"][2] = 0
    weights["rnn/recurrent_kernel"][2] = 0
    targets = network_output(weights, "SimpleRNN", SAMPLES)
    pruned = resize(weights, "SimpleRNN", 3, SAMPLES, targets)
    np.testing.assert_array_equal(pruned["rnn/kernel"], np.delete(weights["rnn/kernel"], 2, axis=1))
    assert loss(pruned, "SimpleRNN", targets) < 1e-6


def test_a_network_of_the_right_width_is_left_alone():
    weights = weights_of("SimpleRNN", 3)
    same = resize(weights, "SimpleRNN", 3, SAMPLES, SAMPLES[:, 0])
    for name, values in weights.items():
        np.testing.assert_array_equal(same[name], values)


def test_widths_are_rounded_as_upstream():
    assert [scaled_units(8, factor) for factor in (0.5, 0.75, 1.0, 1.5, 2.0)] == [4, 6, 8, 12, 16]
    assert [scaled_units(3, factor) for factor in (0.1, 0.5, 0.75)] == [1, 1, 2]
    assert units_of(weights_of("LSTM", 5)) == 5
    assert units_of({"dense/bias": np.zeros(1)}) is None
