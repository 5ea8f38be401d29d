"""A stack trains each lane as if it were alone, as Keras' Adam would."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.networks.float_network import build_float_network, get_weights, set_weights
from pipeline.networks.stack.formats import NetworkFormats, WeightFormat, WeightKind
from pipeline.networks.stack.library import StackError
from pipeline.networks.stack.stack import Stack, Windows, most_units
from tests.networks.stack.made_up import COARSE, FLOAT, SEEDS, N, same, trained, weights_of, windows


@pytest.mark.parametrize("formats", [FLOAT, COARSE], ids=["float", "coarse"])
@pytest.mark.parametrize("units", [2, 7])
def test_a_lane_does_not_depend_on_its_neighbours(formats, units):
    data, start = windows(), weights_of(units, 0)
    alone = Stack([formats] * N, [start] * N)
    crowd = Stack(
        [formats if lane == 3 else (FLOAT, COARSE)[lane % 2] for lane in range(N)],
        [start if lane == 3 else weights_of(units, lane, 5.0) for lane in range(N)],
    )
    losses = trained(alone, data), trained(crowd, data)
    assert losses[0][3] == losses[1][3]
    same(alone.weights[3], crowd.weights[3])
    assert alone.mean_squared_errors(data)[3] == crowd.mean_squared_errors(data)[3]
    # The same start in another order of windows is another network.
    assert any(np.any(alone.weights[0][n] != alone.weights[1][n]) for n in start)


@pytest.mark.parametrize("units", [3, 8])
def test_steps_are_those_of_keras(units):
    """One batch an epoch, so that the order of windows plays no role."""
    data = windows(60)
    first = np.arange(data.count)
    inputs = data.samples[first[:, None] + np.arange(3)][..., None]
    truth = data.truth[first + data.target]
    model = build_float_network(Architecture("SimpleRNN", units, 3))
    start = weights_of(units, 1)
    set_weights(model, start)
    optimizer = tf.keras.optimizers.Adam(0.01)
    stack = Stack([FLOAT] * N, [start] * N)
    for _ in range(20):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(inputs)[:, 0] - truth))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        ours = stack.train_epoch(data, 64, [0.01] * N, SEEDS)
        np.testing.assert_allclose(ours, float(loss), rtol=1e-4)
    for name, values in get_weights(model).items():
        np.testing.assert_allclose(stack.weights[5][name], values, atol=2e-5)
    outputs = stack.predict(data)[:, 0]
    np.testing.assert_allclose(outputs, model(inputs).numpy()[:, 0], atol=1e-5)
    assert stack.mean_squared_errors(data)[0] == pytest.approx(np.mean((outputs - truth) ** 2))


def test_rates_are_those_of_lanes():
    data, start = windows(), weights_of(4, 2)
    stack = Stack([FLOAT] * N, [start] * N)
    stack.train_epoch(data, 32, [0.0] * (N - 1) + [0.01], [1] * N)
    same(stack.weights[0], start)
    assert np.any(stack.weights[-1]["rnn/kernel"] != start["rnn/kernel"])


@pytest.mark.parametrize("batch", [32, 64])
def test_an_epoch_sees_every_window_once_in_an_order_of_its_own(batch):
    """A rate of 0 leaves the weights, so the loss of training is that of evaluation."""
    data = windows(509)
    stack = Stack([COARSE] * N, [weights_of(5, 3)] * N)
    loss = stack.train_epoch(data, batch, [0.0] * N, SEEDS)
    np.testing.assert_allclose(loss, stack.mean_squared_errors(data), rtol=1e-5)
    orders = stack._order
    assert all(np.array_equal(np.sort(orders[:, lane]), np.arange(509)) for lane in range(N))
    assert len({tuple(orders[:, lane]) for lane in range(N)}) == N
    assert abs(np.corrcoef(orders[:, 0], np.arange(509))[0, 1]) < 0.2


def scales(stack: Stack):
    return stack._quantize()[1].copy()


def test_scales_that_are_held_stay_and_others_jump():
    data = windows()
    free, held = (Stack([COARSE] * N, [weights_of(6, 4)] * N) for _ in range(2))
    before = scales(held)
    held.hold_scales()
    for _ in range(5):
        for stack in (free, held):
            stack.train_epoch(data, 16, [0.05] * N, SEEDS)
        np.testing.assert_array_equal(scales(held)[:12], before[:12])  # the Dense kernel is float
    assert np.any(scales(free)[:12] != before[:12])
    assert np.any(
        held.weights[0]["rnn/recurrent_kernel"] != weights_of(6, 4)["rnn/recurrent_kernel"]
    )


def test_frozen_weights_stay_at_values_and_grow_in_number():
    data = windows()
    kinds = [COARSE if lane else FLOAT for lane in range(N)]
    stack = Stack(kinds, [weights_of(5, 5)] * N)
    stack.hold_scales()
    kept = np.zeros((N, 5, 5), bool)
    values = np.zeros((N, 5, 5), np.float32)
    for fraction in (0.2, 0.6, 1.0):
        stack.freeze(fraction)
        mask = np.array([frozen["rnn/recurrent_kernel"] for frozen in stack.frozen]) > 0
        assert not mask[0].any()  # float
        assert np.all(mask[1:].sum((1, 2)) == round(25 * fraction))
        assert np.all(mask[kept])
        trained(stack, data, epochs=1, rate=0.05)
        now = np.array([w["rnn/recurrent_kernel"] for w in stack.quantized_weights])
        np.testing.assert_array_equal(now[kept], values[kept])
        kept, values = mask, now
    raw = np.array([w["rnn/recurrent_kernel"] for w in stack.weights])
    np.testing.assert_array_equal(raw[1:], values[1:])
    assert np.any(raw[0] != weights_of(5, 5)["rnn/recurrent_kernel"])


def test_the_nearest_to_a_value_are_frozen_first():
    start = weights_of(2, 6)
    start["rnn/recurrent_kernel"] = np.array([[7, 0.4], [1.05, 7]], np.float32)  # values: integers
    stack = Stack([COARSE] * N, [start] * N)
    stack.freeze(0.75)
    expected = np.array([[1, 0], [1, 1]], np.float32)
    np.testing.assert_array_equal(stack.frozen[0]["rnn/recurrent_kernel"], expected)


def test_other_weights_in_the_same_networks_leave_it_alone():
    data = windows()
    stack = Stack([COARSE] * N, [weights_of(4, 7)] * N)
    before = stack.mean_squared_errors(data)
    other = stack.with_weights([weights_of(4, 8)] * N)
    trained(other, data)
    np.testing.assert_array_equal(stack.mean_squared_errors(data), before)
    same(stack.weights[0], weights_of(4, 7))


def test_weights_of_a_fixed_scale_stay_in_their_range():
    wide = NetworkFormats(bias=WeightFormat(WeightKind.FIXED, 0.5, -4, 3, unit=2.0))
    start = weights_of(3, 9) | {"rnn/bias": np.array([5, -5, 0.1], np.float32)}
    stack = Stack([wide] * (N - 1) + [FLOAT], [start] * N)
    stack.train_epoch(windows(), 32, [1e-6] * N, SEEDS)
    np.testing.assert_allclose(stack.weights[0]["rnn/bias"][:2], [2, -2], atol=1e-3)
    assert stack.weights[-1]["rnn/bias"][0] > 4.9


def test_a_stack_of_another_size_or_too_wide_is_refused():
    with pytest.raises(StackError, match=f"expected {N} networks, found 2"):
        Stack([FLOAT] * 2, [weights_of(3, 0)] * 2)
    with pytest.raises(StackError, match=f"at most {most_units()} units"):
        Stack([FLOAT] * N, [weights_of(most_units() + 1, 0)] * N)


def test_arrays_of_another_type_are_refused():
    data = windows()
    wrong = Windows(data.samples.astype(np.float64), data.truth, 3, 1)
    with pytest.raises(ValueError, match="float32"):
        Stack([FLOAT] * N, [weights_of(3, 0)] * N).predict(wrong)
