"""Hidden units measured in other units: the network stays the function that it was."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.base.architecture import Architecture
from pipeline.quantization.training.rescaling import (
    fill_range,
    is_sign_and_shift,
    kernel_of_powers_of_two,
    within_one,
)
from pipeline.quantization.training.resizing import hidden_states, network_output
from pipeline.quantizers.quantizer import parse_quantizer
from tests.quantization.quantizer_sets import random_weights, random_windows

LENGTH = 4
SAMPLES = random_windows(400, LENGTH)


def weights_of(units: int):
    return random_weights(Architecture("SimpleRNN", units, LENGTH).weight_shapes)


def test_units_below_one_change_nothing_and_stay_below_one():
    weights = weights_of(4)
    weights["rnn/kernel"] = np.abs(weights["rnn/kernel"]) * np.array([1, 3, 9, 40], np.float32)
    before = np.max(hidden_states(weights, "SimpleRNN", SAMPLES), axis=(0, 1))
    assert before.max() > 4
    tame = within_one(weights, SAMPLES)
    after = np.max(hidden_states(tame, "SimpleRNN", SAMPLES), axis=(0, 1))
    assert after.max() <= 1
    np.testing.assert_array_equal(after[before <= 1], before[before <= 1])
    np.testing.assert_array_equal(
        network_output(tame, "SimpleRNN", SAMPLES), network_output(weights, "SimpleRNN", SAMPLES)
    )


def test_units_that_fill_their_range_are_the_same_network():
    weights = weights_of(5)
    kernel = np.abs(weights["rnn/kernel"]) * np.array([1e-3, 0.1, 1, 30, 0.2], np.float32)
    weights["rnn/kernel"] = kernel
    weights["rnn/bias"][:4] = [0, 0, 0.01, 0]
    weights["rnn/bias"][4] = 3  # beyond 1, which would be cut off
    full = fill_range(weights, SAMPLES)
    after = np.max(hidden_states(full, "SimpleRNN", SAMPLES), axis=(0, 1))
    assert np.all((after[:4] > 0.5) & (after[:4] <= 1))
    assert after[4] <= 1
    assert np.abs(full["rnn/bias"]).max() <= 1
    np.testing.assert_array_equal(
        network_output(full, "SimpleRNN", SAMPLES), network_output(weights, "SimpleRNN", SAMPLES)
    )
    again = fill_range(full, SAMPLES)
    for name, tensor in full.items():
        np.testing.assert_array_equal(again[name], tensor)


def test_a_bias_below_zero_keeps_its_unit_small():
    weights = weights_of(3)
    weights["rnn/recurrent_kernel"][:] = 0
    weights["rnn/kernel"] = np.array([[1, 1, 1]], np.float32)
    weights["rnn/bias"] = np.array([0, -0.9, -50], np.float32) * SAMPLES.max()
    full = fill_range(weights, SAMPLES)
    after = np.max(hidden_states(full, "SimpleRNN", SAMPLES), axis=(0, 1))
    assert after[0] > 0.5
    assert 0 < after[1] < 0.2
    assert -1 <= full["rnn/bias"][1] < -0.4
    assert after[2] == 0  # never answers: left as it is
    assert full["rnn/bias"][2] == weights["rnn/bias"][2]


def test_a_kernel_of_powers_of_two_is_the_same_network():
    weights = weights_of(6)
    weights["rnn/kernel"] = np.array([[0.3, -2.39, 1.5, 0, 1e-4, -0.25]], np.float32)
    before = network_output(weights, "SimpleRNN", SAMPLES)
    assert np.ptp(before) > 0.02
    same = kernel_of_powers_of_two(weights)
    np.testing.assert_array_equal(same["rnn/kernel"], [[0.25, -2, 2, 0, 2**-13, -0.25]])
    np.testing.assert_allclose(network_output(same, "SimpleRNN", SAMPLES), before, atol=1e-6)
    assert {n: w.shape for n, w in same.items()} == {n: w.shape for n, w in weights.items()}
    assert all(w.dtype == np.float32 for w in same.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("binary(alpha='auto_po2')", True),
        ("quantized_po2(4,4)", True),
        ("binary(alpha=1)", False),  # the sign alone
        ("binary()", False),
        ("binary(use_01=1,alpha='auto_po2')", False),
        ("quantized_po2(4,4,quadratic_approximation=1)", False),
        ("binary(alpha='auto_po2',use_stochastic_rounding=1)", False),
        ("ternary(alpha='auto_po2')", False),
        ("quantized_bits(8,0,1,alpha='auto_po2')", False),
    ],
)
def test_what_leaves_a_weight_its_sign_and_a_shift(text, expected):
    assert is_sign_and_shift(parse_quantizer(text, "kernel")) is expected


@pytest.mark.parametrize("text", ["binary(alpha='auto_po2')", "quantized_po2(8,8)"])
def test_their_quantizers_leave_such_a_kernel_alone(text):
    """As QKeras computes it: this is what the trial starts with."""
    weights = weights_of(6)
    weights["rnn/kernel"] = np.array([[0.3, -2.39, 1.5, 0.02, 0.011, -0.25]], np.float32)
    kernel = kernel_of_powers_of_two(weights)["rnn/kernel"]
    quantizer = parse_quantizer(text, "kernel").build()
    np.testing.assert_array_equal(np.asarray(quantizer(kernel)), kernel)
