"""The integers of a network with learned bits compute what was trained, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.integers import golden
from pipeline.networks.stack.learned import LearnedStack
from pipeline.networks.stack.learned_network import LearnedNetwork, ValueBits
from pipeline.networks.stack.stack import Windows
from pipeline.quantization.learned_bits.export import integer_network
from tests.networks.stack.made_up import N, weights_of

LENGTH, VALUES = 4, ValueBits(sample=9, output=8)


def data() -> Windows:
    rng = np.random.default_rng(5)
    samples = np.clip(np.rint(rng.normal(0.2, 0.4, 2000) * 512), -512, 511) / 512
    return Windows(samples.astype(np.float32), samples.astype(np.float32), LENGTH, 0)


def network(units: int, seed: int, most_bits: float = 8.0) -> LearnedNetwork:
    rng = np.random.default_rng(1000 + seed)
    weights = weights_of(units, seed)
    fractions = {n: rng.uniform(-1, 7, w.shape).astype(np.float32) for n, w in weights.items()}
    bits = rng.uniform(3, most_bits, units).astype(np.float32)
    bits[seed % units] = -1  # a unit that is always 0
    return LearnedNetwork(weights, fractions, bits)


@pytest.mark.parametrize("units", [3, 7])
def test_integers_compute_what_was_trained(units):
    samples = data()
    stack = LearnedStack([network(units, seed) for seed in range(N)], LENGTH, 1.0, VALUES)
    outputs = stack.predict(samples)
    windows = np.lib.stride_tricks.sliding_window_view(samples.samples, LENGTH)[: samples.count]
    for lane, rounded in enumerate(stack.rounded):
        found = integer_network(rounded, LENGTH, 16.0, VALUES)
        assert found.float32_exact
        assert found.rnn.units == units - 1
        np.testing.assert_array_equal(golden.evaluate(found, windows), outputs[:, lane])
    assert sum(len(set(outputs[:, lane])) > 8 for lane in range(N)) >= N / 2


def test_units_stand_by_falling_bits():
    start = network(5, 0)
    start.unit_bits[:] = [3, 0, 8, 3, 5]
    rounded = LearnedStack([start] * N, LENGTH, 1.0).rounded[0]
    found = integer_network(rounded, LENGTH, 16.0)
    assert found.rnn.unit_bits == [8, 5, 3, 3]
    assert found.rnn.activation.bits == found.rnn.activation.fraction_bits == 8
    # The third unit is the first one; its step is that of the type, so its bias is as it was.
    bias = found.rnn.bias.array[0] * found.rnn.bias.type.step
    assert bias == rounded.weights["rnn/bias"][2]


def test_units_of_the_same_bits_have_the_type_of_the_activation():
    start = LearnedNetwork.with_bits(weights_of(3, 0), 5.0, 6.0)
    found = integer_network(LearnedStack([start] * N, LENGTH, 1.0).rounded[0], LENGTH, 16.0)
    assert found.rnn.unit_bits is None
    assert found.rnn.activation.bits == 6


def test_a_network_without_a_unit_is_refused():
    start = LearnedNetwork.with_bits(weights_of(3, 0), 5.0, 0.0)
    rounded = LearnedStack([start] * N, LENGTH, 1.0).rounded[0]
    with pytest.raises(ValueError, match="there is no network"):
        integer_network(rounded, LENGTH, 16.0)
