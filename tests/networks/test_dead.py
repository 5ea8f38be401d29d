"""Dead is a constant output without a gradient, whatever the loss is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.networks.dead import DeadNetworkGuard, TrainingError, can_learn
from pipeline.networks.fitting import Schedule, WindowData, WindowFitter
from pipeline.networks.float_network import build_float_network, named_variables, set_weights
from pipeline.networks.runtime import make_strategy
from pipeline.networks.training import train_float
from pipeline.quantization.training.network import build_quantized_network, forward
from pipeline.quantizers.quantizer import parse_quantizer
from tests.networks.sequences import (
    dead_network,
    echo_data,
    echo_network,
    fitter_of,
    lively_network,
    train_params,
)

TRAIN, VALIDATION = echo_data(60, seed=1), echo_data(40, seed=2)
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def network(cell="SimpleRNN", **weights: float) -> tf.keras.Model:
    """A network of two units whose weights are 0.1, but for those named ``layer_tensor``."""
    model = build_float_network(Architecture(cell, 2, 3))
    values = {
        name: np.full(variable.shape, weights.get(name.replace("/", "_"), 0.1), np.float32)
        for name, variable in named_variables(model).items()
    }
    set_weights(model, values)
    return model


def quantized(activation="quantized_relu(4,0)", **weights: float) -> WindowFitter:
    quantizers = {
        "rnn/activation": parse_quantizer(activation, "test"),
        "dense/activation": parse_quantizer("quantized_relu(4,0)", "test"),
        "dense/kernel": parse_quantizer("quantized_bits(4,0,1,alpha=1)", "test"),
    }
    model = build_quantized_network(Architecture("SimpleRNN", 2, 3), quantizers)
    set_weights(
        model,
        {
            name: np.full(variable.shape, weights.get(name.replace("/", "_"), 0.1), np.float32)
            for name, variable in named_variables(model).items()
        },
    )
    return WindowFitter(model, tf.keras.optimizers.Adam(), tf.distribute.get_strategy(), forward)


def judged(fitter, train=TRAIN, validation=VALIDATION) -> tuple[bool, bool]:
    """Whether a guard finds the output constant, and the network dead after the first epoch."""
    guard = DeadNetworkGuard(fitter, train, validation)
    guard.set_model(fitter.model)
    fitter.model.stop_training = False
    loss = fitter.mean_squared_error(validation)
    guard.on_epoch_end(0, {"val_loss": loss})
    assert fitter.model.stop_training == guard.dead
    return guard.is_constant(loss), guard.dead


def adam(model):
    return fitter_of(model, tf.keras.optimizers.Adam())


@pytest.mark.parametrize(
    "weights",
    [
        {"dense_bias": -9.0},  # the output's ReLU never answers
        {"rnn_kernel": -1.0, "rnn_bias": 0.0},  # no hidden unit ever does: only the last bias moves
        {"rnn_kernel": -1.0, "rnn_bias": 0.0, "dense_kernel": 0.0},
    ],
)
def test_relus_that_never_answer_are_dead(weights):
    assert judged(adam(network(**weights))) == (True, True)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_a_gated_cell_behind_a_dead_output_is_dead(cell):
    assert judged(adam(network(cell, dense_bias=-9.0))) == (True, True)


def test_units_that_are_all_saturated_are_dead():
    """Their output is constant at its maximum; the Dense kernel has a gradient, to no avail."""
    assert judged(quantized(rnn_bias=5.0)) == (True, True)
    assert judged(quantized(rnn_bias=5.0, dense_bias=5.0)) == (True, True)


def test_small_outputs_that_are_rounded_to_zero_may_still_grow():
    """The gradient passes through the rounding."""
    assert judged(quantized(rnn_bias=0.0, dense_bias=0.0)) == (True, False)
    assert judged(quantized(dense_kernel=0.01, rnn_kernel=0.5, dense_bias=0.2)) == (True, False)


def test_nearly_constant_is_not_constant():
    fitter = adam(network(rnn_kernel=1e-4, rnn_recurrent_kernel=0.0, dense_bias=1.0))
    assert np.ptp(fitter.predict(VALIDATION)) > 0
    assert judged(fitter) == (False, False)


@pytest.mark.parametrize("factor", [3.0, 100.0])
def test_a_network_that_is_only_wrong_is_alive(factor):
    fitter = adam(network(dense_kernel=factor))
    assert fitter.mean_squared_error(VALIDATION) > np.var(VALIDATION.truth.numpy())
    assert judged(fitter) == (False, False)


def test_only_a_loss_that_a_constant_can_have_is_looked_at(monkeypatch):
    fitter = adam(echo_network(2, 3))
    monkeypatch.setattr(fitter, "predict", None)  # one more program to compile
    assert judged(fitter) == (False, False)


def test_the_guard_looks_at_the_first_epoch_only():
    fitter = adam(dead_network(2, 3))
    guard = DeadNetworkGuard(fitter, TRAIN, VALIDATION)
    guard.set_model(SimpleNamespace(stop_training=False))
    guard.on_epoch_end(1, {"val_loss": 9.0})
    assert not guard.dead


def test_validation_without_a_difference_is_refused():
    flat = WindowData(VALIDATION.samples, 0 * VALIDATION.truth, 3, 1)
    with pytest.raises(TrainingError, match=r"prepare\.validation_fraction: .* all 40 windows"):
        DeadNetworkGuard(adam(lively_network()), TRAIN, flat)


def test_more_windows_than_are_probed_are_enough(monkeypatch):
    monkeypatch.setattr("pipeline.networks.dead._PROBE_WINDOWS", 7)
    assert can_learn(adam(lively_network(length=3)), TRAIN)
    assert not can_learn(adam(dead_network(2, 3)), TRAIN)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("windows", "batch", "rate", "epochs"),
    [(60, 16, 1e-4, 2), (20, 512, 1e-4, 2), (60, 512, 1e-6, 1), (3, 1, 1e-5, 3)],
)
@pytest.mark.parametrize("strategy", ["auto", "mirrored"])
def test_slow_trainings_are_not_restarted(windows, batch, rate, epochs, strategy):
    """Few windows, batches larger than the data, one epoch, a low rate."""
    devices = make_strategy(strategy)
    params = train_params(
        seed=2, units=8, epochs=epochs, batch_size=batch, learning_rate=rate, max_restarts=0
    )
    trained = train_float(params, devices, echo_data(windows, seed=4), VALIDATION, VALIDATION)
    assert trained.restarts == 0
    assert trained.fit.epochs == epochs


def test_a_dead_network_stays_dead():
    """What the guard says is true: ten epochs more change nothing."""
    fitter = adam(dead_network(2, 3))
    losses = fitter.fit(TRAIN, VALIDATION, Schedule(10, 16, 0)).validation_loss
    assert len(set(losses)) == 1


def test_a_constant_network_with_a_gradient_does_leave_the_constant():
    fitter = quantized(rnn_bias=0.0, dense_bias=0.0)
    fitter.optimizer.learning_rate.assign(0.05)
    fitter.fit(TRAIN, VALIDATION, Schedule(10, 16, 0))
    assert np.ptp(fitter.predict(VALIDATION)) > 0.1
