"""Bits are learned with the weights: HGQ's gradients, prices, pruning, and what is rounded."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipeline.networks.stack.learned import LearnedStack
from pipeline.networks.stack.learned_network import MOST_FRACTION, LearnedNetwork, ValueBits
from pipeline.networks.stack.library import StackError
from tests.networks.stack.made_up import SEEDS, N, same, weights_of, windows

LENGTH, REFERENCE, LN_2 = 3, 0.02, float(np.log(2))
NAMES = tuple(weights_of(2, 0))
FREE = [0.0] * N


def network(units: int, seed: int, size: float = 0.5) -> LearnedNetwork:
    """A network whose bits all differ; some weights are rounded to 0, some units are coarse."""
    rng = np.random.default_rng(1000 + seed)
    weights = weights_of(units, seed, size)
    fractions = {n: rng.uniform(-1, 8, w.shape).astype(np.float32) for n, w in weights.items()}
    return LearnedNetwork(weights, fractions, rng.uniform(-0.7, 8, units).astype(np.float32))


def stack_of(networks, values=None) -> LearnedStack:
    return LearnedStack(networks, LENGTH, REFERENCE, values)


def same_network(one: LearnedNetwork, other: LearnedNetwork) -> None:
    same(one.weights, other.weights)
    same(one.fraction_bits, other.fraction_bits)
    np.testing.assert_array_equal(one.unit_bits, other.unit_bits)


def rounded_with_numpy(weights, fraction_bits):
    step = 2.0 ** -np.rint(fraction_bits).astype(np.float64)
    return np.floor(weights / step + 0.5) * step


def bits_of_a_number(value: float, fraction_bits: float) -> int:
    return int(np.abs(value) * 2.0 ** np.rint(fraction_bits)).bit_length()


def like(value, x, f, lost, passes=1.0):
    """`value`, with HGQ's gradients by `x`, where it passes, and by the bits `f`."""
    stop = tf.stop_gradient
    passes = tf.cast(passes, tf.float64)
    return stop(value) + stop(passes) * (x - stop(x)) + LN_2 * stop(lost) * (f - stop(f))


def reference_loss(weights, fractions, unit_bits, inputs, truth, price):
    """The loss in TensorFlow, float64, and the squared error and bit operations in it."""
    sample_bits, output_bits = 10.0, 12
    q, bits = {}, {}
    for name, w in weights.items():
        f = fractions[name]
        step = 2.0 ** -tf.round(tf.stop_gradient(f))
        value = tf.floor(w / step + 0.5) * step
        q[name] = like(value, w, f, w - value)
        places = np.vectorize(bits_of_a_number)(value.numpy(), f.numpy()).astype(float)
        bits[name] = places + (places > 0) * (f - tf.stop_gradient(f))
    units = np.maximum(np.rint(unit_bits.numpy()), 0)
    of_units = units + (units > 0) * (unit_bits - tf.stop_gradient(unit_bits))
    high = 1 - 2.0**-units
    state = tf.zeros((len(inputs), len(units)), tf.float64)
    for step in range(inputs.shape[1]):
        total = inputs[:, step : step + 1] @ q["rnn/kernel"] + q["rnn/bias"]
        total += state @ q["rnn/recurrent_kernel"]
        bounded = tf.clip_by_value(total, 0.0, 1.0)
        value = tf.minimum(tf.floor(bounded * 2.0**units + 0.5) / 2.0**units, high)
        passes = tf.cast((total > 0) & (total <= high), tf.float64)
        state = like(value, total, unit_bits, bounded - value, passes)
    total = (state @ q["dense/kernel"])[:, 0] + q["dense/bias"]
    most = 1 - 2.0**-output_bits
    value = tf.floor(tf.clip_by_value(total, 0, most) * 2.0**output_bits + 0.5) / 2.0**output_bits
    value = tf.minimum(value, most)
    passes = tf.cast((total > 0) & (total <= most), tf.float64)
    output = like(value, total, total, 0.0 * total, passes)
    error = tf.reduce_mean(tf.square(output - truth))
    total_bits = {name: tf.reduce_sum(places) for name, places in bits.items()}
    operations = inputs.shape[1] * (sample_bits * total_bits["rnn/kernel"] + total_bits["rnn/bias"])
    recurrent = tf.reduce_sum(of_units[:, None] * bits["rnn/recurrent_kernel"])
    operations += (inputs.shape[1] - 1) * recurrent
    operations += tf.reduce_sum(of_units[:, None] * bits["dense/kernel"]) + total_bits["dense/bias"]
    return error / REFERENCE + price * operations, error, operations


@pytest.mark.parametrize("units", [3, 7])
def test_loss_and_gradients_are_those_of_hgq(units):
    data = windows(300)
    networks = [network(units, seed) for seed in range(N)]
    prices = [10.0**-power for power in range(1, N + 1)]
    first = np.arange(data.count)
    order = np.repeat(first[:, None], N, axis=1).astype(np.uint32)
    stack = stack_of(networks)
    gradients, losses = stack.gradients(data, order, prices)
    inputs = tf.constant(data.samples[first[:, None] + np.arange(LENGTH)], tf.float64)
    truth = data.truth[first + data.target].astype(np.float64)
    for lane, start in enumerate(networks):
        variables = [
            {name: tf.Variable(tensor, dtype=tf.float64) for name, tensor in part.items()}
            for part in (start.weights, start.fraction_bits)
        ]
        unit_bits = tf.Variable(start.unit_bits, dtype=tf.float64)
        with tf.GradientTape() as tape:
            loss, error, operations = reference_loss(
                *variables, unit_bits, inputs, truth, prices[lane]
            )
        wanted = tape.gradient(loss, [*variables, unit_bits])
        assert losses[lane] == pytest.approx(float(error), rel=1e-5)
        assert stack.operations[lane] == round(float(operations))
        found = gradients[lane]
        of = zip((found.weights, found.fraction_bits), wanted[:2], strict=True)
        pairs = [(ours[name], theirs[name]) for ours, theirs in of for name in NAMES]
        for ours, theirs in [*pairs, (found.unit_bits, wanted[2])]:
            largest = float(tf.reduce_max(tf.abs(theirs)))
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-3, atol=2e-5 * largest)


def test_weights_are_rounded_half_up_with_bits_of_their_own():
    networks = [network(7, seed, size=2.0) for seed in range(N)]
    for start, found in zip(networks, stack_of(networks).rounded, strict=True):
        for name in NAMES:
            wanted = rounded_with_numpy(start.weights[name], start.fraction_bits[name])
            np.testing.assert_array_equal(found.weights[name], wanted)
            places = np.vectorize(bits_of_a_number)(wanted, start.fraction_bits[name])
            np.testing.assert_array_equal(found.bits[name], places)
        np.testing.assert_array_equal(
            found.unit_bits, np.maximum(np.rint(start.unit_bits).astype(int), 0)
        )
    start = LearnedNetwork.with_bits(weights_of(2, 0), 1.0, 3.0)
    halves = np.array([[0.25, -0.25]], np.float32)  # half of one step of 1/2
    start.weights["rnn/kernel"] = halves
    (found, *_) = stack_of([start] * N).rounded
    assert found.weights["rnn/kernel"].tolist() == [[0.5, 0.0]]
    assert found.bits["rnn/kernel"].tolist() == [[1, 0]]


def test_operations_of_a_window_are_bits_times_bits():
    """Two units of 3 and 0 bits; every weight 1, with 2 fraction bits: 3 places each."""
    start = LearnedNetwork.with_bits(weights_of(2, 0), 2.0, 3.0)
    for name in NAMES:
        start.weights[name][:] = 1
    start.unit_bits[1] = -0.4
    (found, *_) = stack_of([start] * N, ValueBits(sample=7)).rounded
    recurrent, dense = 2 * (2 * 3 * 3), 3 * 3  # the two weights that read the first unit
    assert found.operations == 3 * 2 * (7 * 3 + 3) + recurrent + dense + 3
    start.weights["rnn/recurrent_kernel"][0, 0] = 0.1
    (found, *_) = stack_of([start] * N, ValueBits(sample=7)).rounded
    assert found.operations == 3 * 2 * (7 * 3 + 3) + recurrent // 2 + dense + 3


def train(stack, data, price, epochs=3, rate=0.01, bit_rate=0.05):
    for epoch in range(epochs):
        seeds = [seed + 1000 * epoch for seed in SEEDS]
        loss = stack.train_epoch(data, 32, [rate] * N, [bit_rate] * N, price, seeds)
    return loss


def test_a_price_removes_bits_and_prunes_and_without_one_bits_stay():
    start = LearnedNetwork.with_bits(weights_of(5, 3), 6.0, 8.0)
    stack = stack_of([start] * N)
    before = stack.operations
    train(stack, windows(), [0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0], epochs=8)
    after = stack.operations
    assert after[0] > 0.7 * before[0]
    assert after[3] < 0.7 * after[0]
    assert after[4] < after[3]
    pruned = [sum(int((bits == 0).sum()) for bits in r.bits.values()) for r in stack.rounded]
    assert pruned[4] > pruned[0]
    # What has no bit has no price, and nothing to gain by fewer.
    gradients, _ = stack.gradients(windows(), np.zeros((1, N), np.uint32), [1.0] * N)
    for found, rounded in zip(gradients, stack.rounded, strict=True):
        free = rounded.bits["rnn/bias"] == 0
        assert np.all(found.fraction_bits["rnn/bias"][~free] > LENGTH - 1.5)
        assert np.all(np.abs(found.fraction_bits["rnn/bias"][free]) < LENGTH - 1.5)


def test_training_learns():
    start = LearnedNetwork.with_bits(weights_of(5, 3), 3.0, 4.0)
    stack, data = stack_of([start] * N), windows()
    before = stack.mean_squared_errors(data)
    train(stack, data, [1e-4] * N, epochs=10)
    assert np.all(stack.mean_squared_errors(data) < 0.5 * before)


@pytest.mark.parametrize("units", [2, 7])
def test_a_lane_does_not_depend_on_its_neighbours(units):
    data, start = windows(), network(units, 0)
    alone = stack_of([start] * N)
    crowd = stack_of([start if lane == 3 else network(units, lane, 5.0) for lane in range(N)])
    prices = [1e-4 if lane == 3 else 10.0 ** (lane - 6) for lane in range(N)]
    losses = train(alone, data, [1e-4] * N), train(crowd, data, prices)
    assert losses[0][3] == losses[1][3]
    same_network(alone.networks[3], crowd.networks[3])
    np.testing.assert_array_equal(alone.predict(data)[:, 3], crowd.predict(data)[:, 3])
    moved = alone.networks
    assert np.any(moved[0].unit_bits != moved[1].unit_bits)  # another order of windows


def test_rates_are_those_of_lanes_and_of_bits():
    start = LearnedNetwork.with_bits(weights_of(4, 2), 4.6, 6.6)
    stack = stack_of([start] * N)
    rates, bit_rates = [0.0, 0.01] * (N // 2), [0.0] * 2 + [0.05] * (N - 2)
    stack.train_epoch(windows(), 32, rates, bit_rates, [1e-3] * N, SEEDS)
    found = stack.networks
    same_network(found[0], start)
    same(found[1].fraction_bits, start.fraction_bits)
    np.testing.assert_array_equal(found[1].unit_bits, start.unit_bits)
    assert np.any(found[1].weights["rnn/kernel"] != start.weights["rnn/kernel"])
    same(found[2].weights, start.weights)
    assert np.any(found[2].unit_bits != start.unit_bits)
    unit_rates = [0.0, 0.05] * (N // 2)
    stack = stack_of([start] * N)
    stack.train_epoch(windows(), 32, rates, bit_rates, [1e-3] * N, SEEDS, unit_rates)
    found = stack.networks
    np.testing.assert_array_equal(found[2].unit_bits, start.unit_bits)
    assert np.any(found[2].fraction_bits["rnn/kernel"] != start.fraction_bits["rnn/kernel"])
    assert np.any(found[1].unit_bits != start.unit_bits)
    same(found[1].fraction_bits, start.fraction_bits)


def test_a_loss_is_that_of_evaluation_and_of_the_outputs():
    data, networks = windows(509), [network(5, seed) for seed in range(N)]
    stack = stack_of(networks)
    loss = stack.train_epoch(data, 32, FREE, FREE, FREE, SEEDS)
    np.testing.assert_allclose(loss, stack.mean_squared_errors(data), rtol=1e-5)
    truth = data.truth[np.arange(data.count) + data.target]
    errors = np.mean((stack.predict(data) - truth[:, None]).astype(float) ** 2, axis=0)
    np.testing.assert_allclose(errors, stack.mean_squared_errors(data), rtol=1e-6)


def test_a_start_from_quantized_weights_is_the_same_network_with_the_fewest_bits():
    weights = {n: np.rint(w * 16).astype(np.float32) / 16 for n, w in weights_of(4, 1).items()}
    weights["rnn/kernel"][0] = [1, -2, 0.5, 0]
    weights["rnn/bias"][:] = 0
    start = LearnedNetwork.of_quantized(weights, 6)
    assert start.fraction_bits["rnn/kernel"].tolist() == [[0, -1, 1, 1]]
    assert start.fraction_bits["rnn/bias"].tolist() == [0] * 4
    (found, *_) = stack_of([start] * N).rounded
    same(found.weights, weights)
    assert found.bits["rnn/kernel"].tolist() == [[1, 1, 1, 0]]
    spare = LearnedNetwork.of_quantized(weights, 6, spare=2)
    assert spare.fraction_bits["rnn/kernel"].tolist() == [[2, 1, 3, 3]]
    fine = {n: np.full_like(w, 2.0**-MOST_FRACTION) for n, w in weights.items()}
    (found, *_) = stack_of([LearnedNetwork.of_quantized(fine, 6)] * N).rounded
    same(found.weights, fine)


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(StackError, match=f"expected {N} networks, found 2"):
        stack_of([network(3, 0)] * 2)
    with pytest.raises(StackError, match="at most 64 units"):
        stack_of([LearnedNetwork.with_bits(weights_of(65, 0), 6, 8)] * N)
