"""The compiled loop against Keras' own layers and steps written out one by one."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from subprocess import PIPE

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.weights import load_weights, save_weights
from pipeline.networks import fitting
from pipeline.networks.fitting import FitResult, Schedule, WindowData, padded_blocks, rmse_mev
from pipeline.networks.float_network import get_weights
from pipeline.networks.runtime import make_strategy
from pipeline.samples.prepared import Split
from tests.imports import ROOT
from tests.networks.sequences import (
    as_arrays,
    fitter_of,
    lively_network,
    train_on,
    weight_shapes,
    window_data,
)


def sgd(rate: float = 0.1) -> tf.keras.optimizers.Optimizer:
    return tf.keras.optimizers.SGD(rate)


def assert_close(got, wanted):
    assert set(got) == set(wanted)
    for name in wanted:
        np.testing.assert_allclose(got[name], wanted[name], rtol=1e-4, atol=1e-6, err_msg=name)


def by_hand(model, data, *, batch, rate, seed):
    """Make one epoch of plain gradient descent, a step at a time; return the mean loss."""
    inputs, wanted = as_arrays(data)
    order = np.random.default_rng(seed).permutation(len(inputs))
    total = 0.0
    for begin in range(0, len(order), batch):
        chosen = order[begin : begin + batch]
        with tf.GradientTape() as tape:
            errors = tf.square(model(inputs[chosen]) - wanted[chosen])
            loss = tf.reduce_mean(errors)
        variables = model.trainable_variables
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(rate * gradient)
        total += float(tf.reduce_sum(errors))
    return total / len(order)


# Windows


@pytest.mark.parametrize(("length", "lag"), [(5, 5), (5, 0), (5, 2), (1, 1), (12, 4)])
def test_gathers_the_windows_of_the_detector(length, lag):
    data = window_data(40, length, lag)
    assert data.n_windows == 40
    order = np.random.default_rng(0).permutation(40).astype(np.int32)
    inputs, wanted = data.gather(tf.constant(order))
    all_inputs, all_wanted = as_arrays(data)
    np.testing.assert_array_equal(inputs, all_inputs[order])
    np.testing.assert_array_equal(wanted, all_wanted[order])


def test_a_split_is_scaled():
    dig, hit, other = np.random.default_rng(0).uniform(0, 5, (3, 30)).astype(np.float32)
    split = Split("train", dig, hit, other, other, 4, 2, 16.0)
    data = WindowData.from_split(split, make_strategy("auto"))
    np.testing.assert_array_equal(data.samples, dig / 16)
    np.testing.assert_array_equal(data.truth, hit / 16)
    assert data.samples.dtype == data.truth.dtype == tf.float32
    assert (data.window_length, data.target_lag, data.n_windows) == (4, 2, 26)


def test_a_split_is_placed_by_its_strategy(monkeypatch):
    values = np.zeros(10, np.float32)
    split = Split("train", values, values, values, values, 4, 2, 16.0)
    events = []

    class Strategy:
        @contextmanager
        def scope(self):
            events.append("enter")
            yield
            events.append("leave")

    monkeypatch.setattr(fitting.tf, "constant", lambda _: events.append("place"))
    WindowData.from_split(split, Strategy())
    assert events == ["enter", "place", "place", "leave"]


@given(st.lists(st.integers(1, 1000), max_size=60), st.integers(1, 25))
def test_blocks_hold_everything_once_and_in_order(order, length):
    blocks = list(padded_blocks(np.array(order, np.int32), length))
    assert len(blocks) == -(-len(order) // length)
    joined = [block[:valid] for block, valid in blocks]
    assert np.concatenate([*joined, []]).tolist() == order
    for block, valid in blocks:
        assert block.shape == (length,)
        assert block.dtype == np.int32
        assert not block[valid:].any()


# Evaluation


@pytest.mark.parametrize("n_windows", [32, 33, 100])
@pytest.mark.parametrize("lag", [5, 2])
def test_evaluation_equals_keras(monkeypatch, n_windows, lag):
    monkeypatch.setattr(fitting, "EVALUATION_BATCH", 32)
    model, data = lively_network(), window_data(n_windows, lag=lag)
    fitter = fitter_of(model, sgd())
    inputs, wanted = as_arrays(data)
    outputs = model.predict(inputs, verbose=0)
    assert np.ptp(outputs) > 0.01
    predicted = fitter.predict(data)
    assert predicted.dtype == np.float32
    assert predicted.shape == (n_windows,)
    np.testing.assert_allclose(predicted, outputs[:, 0], rtol=1e-5, atol=1e-6)
    mse = np.mean(np.square(outputs.astype(float) - wanted))
    assert fitter.mean_squared_error(data) == pytest.approx(mse, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_gated_cells_predict_and_train(cell):
    model, data = lively_network(cell), window_data(40, lag=2)
    fitter = fitter_of(model, sgd())
    outputs = model.predict(as_arrays(data)[0], verbose=0)[:, 0]
    np.testing.assert_allclose(fitter.predict(data), outputs, rtol=1e-5, atol=1e-6)
    reference = lively_network(cell)
    by_hand(reference, data, batch=16, rate=0.1, seed=4)
    fitter.run_epoch(data, 16, np.random.default_rng(4))
    assert_close(get_weights(model), get_weights(reference))


def test_evaluation_sees_new_weights_and_new_data():
    model, data, other = lively_network(), window_data(30), window_data(30, seed=1)
    fitter = fitter_of(model, sgd())
    first = fitter.mean_squared_error(data)
    assert fitter.mean_squared_error(other) != first
    model.layers[-1].bias.assign([3.0])
    assert fitter.mean_squared_error(data) > 2 * first


# Training


# (windows, steps in one call): full batches; a last batch that is not full, in one
# call and in several; a last call with one window; fewer windows than a batch.
@pytest.mark.parametrize(("n_windows", "steps"), [(64, 512), (75, 512), (75, 2), (97, 3), (5, 512)])
def test_an_epoch_equals_steps_by_hand(monkeypatch, n_windows, steps):
    monkeypatch.setattr(fitting, "STEPS_PER_CALL", steps)
    data = window_data(n_windows, lag=2)
    model, reference = lively_network(), lively_network()
    before = get_weights(model)
    loss = fitter_of(model, sgd(0.1)).run_epoch(data, 16, np.random.default_rng(7))
    assert loss == pytest.approx(by_hand(reference, data, batch=16, rate=0.1, seed=7), rel=1e-4)
    assert_close(get_weights(model), get_weights(reference))
    assert all(np.abs(w - before[name]).max() > 1e-3 for name, w in get_weights(model).items())


def test_every_window_counts_once_in_an_epoch():
    model, data = lively_network(), window_data(77, lag=3)
    inputs, wanted = as_arrays(data)
    mse = np.mean(np.square(model.predict(inputs, verbose=0).astype(float) - wanted))
    fitter = fitter_of(model, sgd(0.0))
    generator = np.random.default_rng(0)
    for _ in range(2):
        assert fitter.run_epoch(data, 16, generator) == pytest.approx(mse, rel=1e-6)


def test_memory_does_not_grow_with_the_steps_of_a_call(monkeypatch):
    lengths = []
    original = fitting.padded_blocks

    def spy(order, length):
        lengths.append(length)
        return original(order, length)

    monkeypatch.setattr(fitting, "padded_blocks", spy)
    fitter_of(lively_network(), sgd()).run_epoch(window_data(50), 48, np.random.default_rng(0))
    assert lengths == [96]


def test_the_rate_can_change_between_epochs():
    model, data = lively_network(), window_data(40)
    optimizer = tf.keras.optimizers.Adam(0.01)
    fitter = fitter_of(model, optimizer)
    generator = np.random.default_rng(0)
    start = get_weights(model)
    fitter.run_epoch(data, 16, generator)
    moved = get_weights(model)
    assert not np.array_equal(moved["rnn/kernel"], start["rnn/kernel"])
    optimizer.learning_rate.assign(0.0)
    fitter.run_epoch(data, 16, generator)
    for name, weight in get_weights(model).items():
        np.testing.assert_array_equal(weight, moved[name])


def test_a_seed_gives_an_order_of_windows_and_the_same_bytes(tmp_path):
    data, validation = window_data(75), window_data(30, seed=1)
    files = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        model = lively_network()
        fitter = fitter_of(model, tf.keras.optimizers.Adam(0.01))
        fitter.fit(data, validation, Schedule(2, 16, seed))
        save_weights(tmp_path / name, get_weights(model))
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


class Recorder(tf.keras.callbacks.Callback):
    def __init__(self, stop_after: int) -> None:
        super().__init__()
        self.calls: list[tuple] = []
        self._stop_after = stop_after

    def on_train_begin(self, logs=None):
        self.calls.append(("train begins",))

    def on_train_end(self, logs=None):
        self.calls.append(("train ends",))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("begin", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("end", epoch, logs["loss"], logs["val_loss"]))
        if epoch + 1 == self._stop_after:
            self.model.stop_training = True


def test_callbacks_are_called_and_stop_the_fit():
    fitter, recorder = fitter_of(lively_network(), sgd(0.05)), Recorder(stop_after=2)
    data, validation = window_data(48), window_data(30, seed=1)
    result = fitter.fit(data, validation, Schedule(9, 16, 0), callbacks=[recorder])
    assert result.epochs == 2
    assert recorder.calls == [
        ("train begins",),
        ("begin", 0),
        ("end", 0, result.loss[0], result.validation_loss[0]),
        ("begin", 1),
        ("end", 1, result.loss[1], result.validation_loss[1]),
        ("train ends",),
    ]
    assert result.loss[1] < result.loss[0]
    assert result.validation_loss[1] == fitter.mean_squared_error(validation)
    assert result.learning_rate == pytest.approx([0.05, 0.05])
    again = fitter.fit(data, validation, Schedule(1, 16, 0), callbacks=[recorder])
    assert again.epochs == 1


@pytest.mark.parametrize("broken", ["train", "validation"])
def test_a_loss_that_is_not_finite_stops_the_fit(broken):
    data = {"train": window_data(20), "validation": window_data(20, seed=1)}
    samples = data[broken].samples.numpy()
    samples[7] = np.nan
    data[broken] = WindowData(tf.constant(samples), data[broken].truth, 5, 5)
    fitter = fitter_of(lively_network(), sgd())
    with pytest.raises(FloatingPointError, match="the loss is not finite in epoch 1"):
        fitter.fit(data["train"], data["validation"], Schedule(3, 8, 0))


def test_a_fit_is_quiet_without_a_terminal(capfd):
    data = window_data(20)
    fitter_of(lively_network(), sgd()).fit(data, data, Schedule(1, 8, 0))
    assert "epoch" not in "".join(capfd.readouterr())


# Several devices


@pytest.mark.slow
def test_two_devices_train_like_one(tmp_path):
    files = [tmp_path / "one.h5", tmp_path / "two.h5"]
    command = [sys.executable, "-m", "tests.networks.mirrored", str(files[1])]
    with subprocess.Popen(command, cwd=ROOT, stdout=PIPE, stderr=PIPE, text=True) as other:
        one = train_on(make_strategy("auto"), files[0])
        out, err = other.communicate(timeout=300)
    assert other.returncode == 0, err
    two = json.loads(out.splitlines()[-1])
    assert (one.pop("replicas"), two.pop("replicas")) == (1, 2)
    assert set(one) == set(two)
    for name, value in one.items():
        assert two[name] == pytest.approx(value, rel=1e-4), name
    model = lively_network()
    weights = [load_weights(file, weight_shapes(model)) for file in files]
    assert_close(weights[1], weights[0])
    assert np.abs(weights[0]["rnn/kernel"] - get_weights(model)["rnn/kernel"]).max() > 0.01


# Numbers for people


def test_rmse_in_mev():
    assert rmse_mev(4e-6, 16.0) == pytest.approx(32.0)
    assert rmse_mev(0.0, 16.0) == 0


def test_the_loss_curve_as_columns():
    result = FitResult([4e-6, 1e-6], [9e-6, 4e-6], [0.1, 0.05])
    assert result.epochs == 2
    assert result.table(16.0) == {
        "epoch": [1, 2],
        "train_rmse_mev": pytest.approx([32, 16]),
        "validation_rmse_mev": pytest.approx([48, 32]),
        "learning_rate": [0.1, 0.05],
    }
