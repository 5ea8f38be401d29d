"""Small sequences and networks, and their windows cut by `pipeline.detector`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32
from pipeline.base.weights import save_weights
from pipeline.networks.fitting import Schedule, WindowData, WindowFitter
from pipeline.networks.float_network import (
    build_float_network,
    get_weights,
    named_variables,
    set_weights,
)
from pipeline.networks.runtime import seed_everything
from pipeline.params.network import TrainParams
from pipeline.samples.windows import targets, windows


def window_data(n_windows: int, length: int = 5, lag: int = 5, seed: int = 0) -> WindowData:
    """Make random samples and, independent of them, a random truth."""
    rng = np.random.default_rng(seed)
    samples, truth = rng.uniform(0, 1, (2, n_windows + length)).astype(np.float32)
    return WindowData(tf.constant(samples), tf.constant(truth), length, lag)


def echo_data(n_windows: int, length: int = 3, seed: int = 0) -> WindowData:
    """Make a sequence whose truth is the last sample of each window."""
    samples = tf.constant(
        np.random.default_rng(seed).uniform(0, 1, n_windows + length).astype(np.float32)
    )
    return WindowData(samples, samples, length, 1)


def as_arrays(data: WindowData) -> tuple[F32, F32]:
    """Cut all windows: (n, L, 1) and (n, 1)."""
    inputs = windows(data.samples.numpy(), data.window_length)
    wanted = targets(data.truth.numpy(), data.window_length, data.target_lag)
    return inputs[..., np.newaxis], wanted[:, np.newaxis]


def lively_network(cell: str = "SimpleRNN", units: int = 4, length: int = 5) -> tf.keras.Model:
    """Build a network with positive weights: every ReLU answers, every gradient counts."""
    seed_everything(3)
    model = build_float_network(Architecture(cell, units, length))
    for variable in model.trainable_variables:
        variable.assign(tf.random.uniform(variable.shape, 0.05, 0.4, seed=1))
    return model


def echo_network(units: int, length: int) -> tf.keras.Model:
    """Build the network whose output is the last sample."""
    model = build_float_network(Architecture("SimpleRNN", units, length))
    weights = {name: np.zeros(v.shape, "f4") for name, v in named_variables(model).items()}
    weights["rnn/kernel"][0, 0] = weights["dense/kernel"][0, 0] = 1
    set_weights(model, weights)
    return model


def near_echo(units: int, length: int, seed: int = 2) -> dict[str, F32]:
    """Return weights near those that put out the last sample, where a training may start."""
    rng = np.random.default_rng(seed)
    return {
        name: value + rng.uniform(0, 0.1, value.shape).astype(np.float32)
        for name, value in get_weights(echo_network(units, length)).items()
    }


def dead_network(units: int, length: int) -> tf.keras.Model:
    """Build a network whose output is 0 and whose gradient is 0."""
    model = build_float_network(Architecture("SimpleRNN", units, length))
    weights = {name: np.zeros(v.shape, "f4") for name, v in named_variables(model).items()}
    weights["dense/bias"][:] = -1
    set_weights(model, weights)
    return model


def weight_shapes(model: tf.keras.Model) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight, by ``layer/tensor``."""
    return {name: tuple(variable.shape) for name, variable in named_variables(model).items()}


def fitter_of(model: tf.keras.Model, optimizer: Any) -> WindowFitter:
    """Fit on one device, for a model built outside of any strategy."""
    return WindowFitter(model, optimizer, tf.distribute.get_strategy())


def train_on(strategy: Any, path: Path) -> dict[str, Any]:
    """Make two epochs of steps, the last of each on a batch that is not full; write the weights."""
    with strategy.scope():
        model = lively_network()
        optimizer = tf.keras.optimizers.Adam(0.01)
    fitter = WindowFitter(model, optimizer, strategy)
    validation = window_data(40, seed=1)
    result = fitter.fit(window_data(101), validation, Schedule(2, 15, 9))
    save_weights(path, get_weights(model))
    return {
        "replicas": fitter.replicas,
        "loss": result.loss,
        "validation_loss": result.validation_loss,
        "predicted": fitter.predict(validation).tolist(),
    }


def train_params(**changes: Any) -> TrainParams:
    """Take the original recipe, a few epochs of it."""
    tree = {
        "seed": 5,
        "seeds": 1,
        "cell": "SimpleRNN",
        "units": 4,
        "weights": None,
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 0.001,
        "early_stopping_patience": 7,
        "reduce_lr_patience": 5,
        "reduce_lr_factor": 0.5,
        "min_delta": 1e-8,
        "min_learning_rate": 1e-6,
        "max_restarts": 3,
        "strategy": "auto",
    }
    return TrainParams.model_validate(tree | changes)
