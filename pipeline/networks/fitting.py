"""Fit a Keras model on windows of a sequence, many optimiser steps per call.

Keras' ``fit`` spends nearly all of its time between steps when a network has 89
parameters. Here the sequence lies on the device, a compiled loop gathers each
batch of windows from it by index and makes hundreds of steps before it comes
back to Python, and XLA fuses the unrolled network with its gradient. Loss,
optimiser and callbacks are those of Keras; the windows of an epoch come in a new
random order and none is left out, as in Keras.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.base.arrays import F32
from pipeline.base.units import MEV_PER_GEV
from pipeline.networks.batches import padded_blocks, weights_of_step
from pipeline.networks.runtime import compiled
from pipeline.samples.prepared import Split
from pipeline.samples.windows import count_windows

STEPS_PER_CALL = 512
EVALUATION_BATCH = 16384


@dataclass(frozen=True, eq=False)
class WindowData:
    """A scaled sequence on the device, ready to be cut into windows.

    Attributes
    ----------
    samples, truth
        float32 tensors (n_bc,), E_T / ``et_scale_gev``.
    window_length, target_lag
        Window geometry, see `pipeline.samples.prepared.Split`.
    et_scale_gev
        What E_T was divided by: progress is shown in MeV.
    """

    samples: tf.Tensor
    truth: tf.Tensor
    window_length: int
    target_lag: int
    et_scale_gev: float = 1.0

    @classmethod
    def from_split(cls, split: Split, strategy: Any) -> WindowData:
        """Scale a split and put it on the device of a `tf.distribute` strategy.

        The strategy comes first: making one decides which devices there are, and once a
        tensor lies anywhere TensorFlow does not let that be changed.
        """
        with strategy.scope():
            return cls(
                samples=tf.constant(split.scaled_samples()),
                truth=tf.constant(split.scaled_truth()),
                window_length=split.window_length,
                target_lag=split.target_lag,
                et_scale_gev=split.et_scale_gev,
            )

    @property
    def n_windows(self) -> int:
        """Number of windows in the sequence."""
        return count_windows(int(self.samples.shape[0]), self.window_length)

    def spread(self, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Cut `count` windows, spread evenly over the data; see `gather`."""
        first = np.linspace(0, self.n_windows - 1, count).astype(np.int32)
        return self.gather(tf.constant(first))

    def gather(self, first: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Cut windows: int32 (batch,) -> float32 (batch, L, 1) and (batch, 1)."""
        steps = tf.range(self.window_length)[tf.newaxis]
        inputs = tf.gather(self.samples, first[:, tf.newaxis] + steps)
        targets = tf.gather(self.truth, first + (self.window_length - self.target_lag))
        return inputs[..., tf.newaxis], targets[:, tf.newaxis]


@dataclass
class FitResult:
    """What a fit did, epoch by epoch; losses are mean squared errors in scaled units."""

    loss: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)

    @property
    def epochs(self) -> int:
        """Epochs that were run."""
        return len(self.loss)

    def table(self, et_scale_gev: float) -> dict[str, list[float]]:
        """Return the loss curve as columns, errors in MeV."""
        return {
            "epoch": [float(epoch) for epoch in range(1, self.epochs + 1)],
            "train_rmse_mev": [rmse_mev(loss, et_scale_gev) for loss in self.loss],
            "validation_rmse_mev": [rmse_mev(loss, et_scale_gev) for loss in self.validation_loss],
            "learning_rate": self.learning_rate,
        }


@dataclass(frozen=True)
class Schedule:
    """Epochs up to the last one, windows in a step, and the seed of their order.

    ``first_epoch`` counts the epochs that a fit with the same seed has run before.
    """

    epochs: int
    batch_size: int
    seed: int
    first_epoch: int = 0


class WindowFitter:
    """Compiled training and evaluation of one model on windows.

    Parameters
    ----------
    model
        A Keras model (batch, L, 1) -> (batch, 1), built under `strategy`.
    optimizer
        A Keras optimizer, built under `strategy`.
    strategy
        With one replica the whole loop over steps is one XLA program; with
        several, each step runs on all replicas and gradients are summed.
    forward
        How to call the model: ``(model, inputs, training) -> outputs``.
    """

    def __init__(
        self,
        model: tf.keras.Model,
        optimizer: Any,
        strategy: Any,
        forward: Callable[[Any, tf.Tensor, bool], tf.Tensor] | None = None,
    ) -> None:
        self.model = model
        self.forward = forward or (lambda model, inputs, training: model(inputs, training=training))
        self.optimizer = optimizer
        self.strategy = strategy
        self.replicas = int(strategy.num_replicas_in_sync)
        model.compile(optimizer)  # callbacks look for `model.optimizer`
        with strategy.scope():
            optimizer.build(model.trainable_variables)
        one = self.replicas == 1
        loop = self._train_loop if one else self._train_loop_distributed
        self._train = compiled(loop, jit_compile=one)
        self._squared_errors = compiled(self._sum_squared_errors)
        self._forward = compiled(self._predict_windows)

    def run_epoch(self, data: WindowData, batch_size: int, generator: np.random.Generator) -> float:
        """Train once over all windows in a new random order; return the mean loss."""
        order = generator.permutation(data.n_windows).astype(np.int32)
        steps = min(STEPS_PER_CALL, math.ceil(len(order) / batch_size))
        total = 0.0
        for block, valid in padded_blocks(order, steps * batch_size):
            rows = tf.constant(block.reshape(-1, batch_size))
            total += float(self._train(data, rows, tf.constant(valid, tf.int32)))
        return total / data.n_windows

    def mean_squared_error(self, data: WindowData) -> float:
        """Return the mean squared error over all windows, in scaled units."""
        total = 0.0
        for block, valid in padded_blocks(_all_windows(data), EVALUATION_BATCH):
            total += float(self._squared_errors(data, tf.constant(block), tf.constant(valid)))
        return total / data.n_windows

    def predict(self, data: WindowData) -> F32:
        """Return the network's output for every window, float32 (n_windows,)."""
        outputs = [
            self._forward(data, tf.constant(block)).numpy()[:valid]
            for block, valid in padded_blocks(_all_windows(data), EVALUATION_BATCH)
        ]
        predictions: F32 = np.concatenate(outputs).astype(np.float32)
        return predictions

    def fit(
        self,
        train: WindowData,
        validation: WindowData,
        schedule: Schedule,
        callbacks: Iterable[Any] = (),
        description: str = "fit",
        show_progress: bool = True,
    ) -> FitResult:
        """Fit with Keras callbacks and a progress bar (quiet when not a terminal).

        The orders of windows of epochs before ``schedule.first_epoch`` are drawn and left
        out: a model and an optimiser as the fit before left them continue as if it had
        not ended.

        Raises
        ------
        FloatingPointError
            If a loss stops being finite.
        """
        generator = np.random.default_rng(schedule.seed)
        for _ in range(schedule.first_epoch):
            generator.permutation(train.n_windows)
        handlers = tf.keras.callbacks.CallbackList(list(callbacks), model=self.model)
        self.model.stop_training = False
        result = FitResult()
        handlers.on_train_begin()
        with tqdm(
            total=schedule.epochs,
            initial=schedule.first_epoch,
            desc=description,
            unit="epoch",
            disable=None if show_progress else True,
        ) as bar:
            for epoch in range(schedule.first_epoch, schedule.epochs):
                if self.model.stop_training:
                    break
                handlers.on_epoch_begin(epoch)
                result.learning_rate.append(float(self.optimizer.learning_rate.numpy()))
                loss = self.run_epoch(train, schedule.batch_size, generator)
                validation_loss = self.mean_squared_error(validation)
                if not np.isfinite(loss) or not np.isfinite(validation_loss):
                    raise FloatingPointError(f"the loss is not finite in epoch {epoch + 1}")
                result.loss.append(loss)
                result.validation_loss.append(validation_loss)
                handlers.on_epoch_end(epoch, {"loss": loss, "val_loss": validation_loss})
                bar.update()
                validation_mev = rmse_mev(validation_loss, validation.et_scale_gev)
                bar.set_postfix_str(f"validation {validation_mev:.2f} MeV")
        handlers.on_train_end()
        return result

    def _train_step(
        self, data: WindowData, first: tf.Tensor, weight: tf.Tensor, count: tf.Tensor
    ) -> tf.Tensor:
        """Make one step on the windows whose weight is 1; `count` of the global batch."""
        inputs, targets = data.gather(first)
        with tf.GradientTape() as tape:
            errors = tf.square(self.forward(self.model, inputs, True) - targets)
            squared = tf.reduce_sum(errors[:, 0] * weight)
            loss = squared / count
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return squared

    def _train_loop(self, data: WindowData, first: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
        """Make one step per row of `first`, int32 (steps, batch), up to `valid` windows."""
        batch = int(first.shape[1])

        def body(step: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            weight, count = weights_of_step(step, batch, valid)
            return step + 1, total + self._train_step(data, first[step], weight, count)

        _, total = tf.while_loop(lambda step, _: step * batch < valid, body, [0, 0.0])
        return total

    def _train_loop_distributed(
        self, data: WindowData, first: tf.Tensor, valid: tf.Tensor
    ) -> tf.Tensor:
        batch = int(first.shape[1])

        def replica_step(row: tf.Tensor, weight: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            share = tf.range(replica, batch, self.replicas)
            return self._train_step(data, tf.gather(row, share), tf.gather(weight, share), count)

        def body(step: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            arguments = (first[step], *weights_of_step(step, batch, valid))
            squared = self.strategy.run(replica_step, args=arguments)
            summed = self.strategy.reduce(tf.distribute.ReduceOp.SUM, squared, axis=None)
            return step + 1, total + summed

        _, total = tf.while_loop(lambda step, _: step * batch < valid, body, [0, 0.0])
        return total

    def _sum_squared_errors(
        self, data: WindowData, first: tf.Tensor, valid: tf.Tensor
    ) -> tf.Tensor:
        inputs, targets = data.gather(first)
        weight, _ = weights_of_step(tf.constant(0), int(first.shape[0]), valid)
        errors = tf.square(self.forward(self.model, inputs, False) - targets)
        return tf.reduce_sum(errors[:, 0] * weight)

    def _predict_windows(self, data: WindowData, first: tf.Tensor) -> tf.Tensor:
        inputs, _ = data.gather(first)
        return self.forward(self.model, inputs, False)[:, 0]


def rmse_mev(loss: float, et_scale_gev: float) -> float:
    """Turn a mean squared error in scaled units into an RMSE in MeV."""
    return math.sqrt(loss) * et_scale_gev * MEV_PER_GEV


def _all_windows(data: WindowData) -> NDArray[np.int32]:
    return np.arange(data.n_windows, dtype=np.int32)
