"""Train the float network: callbacks of the original recipe and the dead-ReLU guard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32
from pipeline.base.errors import PipelineError
from pipeline.networks.fitting import FitResult, Schedule, WindowData, WindowFitter
from pipeline.networks.float_network import build_float_network, get_weights, set_weights
from pipeline.networks.runtime import seed_everything
from pipeline.params.network import TrainParams

# A network whose ReLUs are dead answers with a constant, whose squared error is
# at least the variance of the truth. One epoch of a live one is far below half.
_DEAD_FRACTION_OF_VARIANCE = 0.5


class TrainingError(PipelineError):
    """The network cannot be trained with these parameters."""


@dataclass(frozen=True)
class TrainedNetwork:
    """The best weights of a fit, by ``layer/tensor``, and how they came about."""

    weights: dict[str, F32]
    fit: FitResult
    restarts: int
    validation_loss: float
    test_output: F32


def train_float(
    params: TrainParams,
    strategy: Any,
    train: WindowData,
    validation: WindowData,
    test: WindowData,
) -> TrainedNetwork:
    """Train until the plateau, from new weights while the network starts out dead.

    Parameters
    ----------
    params
        The ``train`` section.
    strategy
        What `make_strategy` returned for it, before the data were placed.
    train, validation, test
        The three splits; `test` is only predicted, float32 (n_windows,).

    Raises
    ------
    TrainingError
        If ``train.max_restarts`` new seeds all gave a dead network, or the loss
        stopped being finite.
    """
    architecture = Architecture(params.cell, params.units, train.window_length)
    for restart in range(params.max_restarts + 1):
        seed = params.seed + restart
        seed_everything(seed)
        with strategy.scope():
            model = build_float_network(architecture)
            optimizer = tf.keras.optimizers.Adam(params.learning_rate)
        fitter = WindowFitter(model, optimizer, strategy)
        guard = DeadNetworkGuard(dead_loss(validation))
        try:
            fit = fitter.fit(
                train,
                validation,
                Schedule(params.epochs, params.batch_size, seed),
                callbacks=[guard, *plateau_callbacks(params)],
                description=f"train (seed {seed})",
            )
        except FloatingPointError as error:
            raise TrainingError(f"train.learning_rate: {params.learning_rate}: {error}") from error
        if not guard.dead:
            return TrainedNetwork(
                weights=get_weights(model),
                fit=fit,
                restarts=restart,
                validation_loss=fitter.mean_squared_error(validation),
                test_output=fitter.predict(test),
            )
    raise TrainingError(
        f"train.max_restarts: {params.max_restarts + 1} seeds from {params.seed} on all gave a "
        "network that is dead after one epoch; change train.seed or lower train.learning_rate"
    )


def dead_loss(validation: WindowData) -> float:
    """Return the validation loss above which a network counts as dead.

    Raises
    ------
    TrainingError
        If all validation targets are equal, so that no network can be recognised as dead.
    """
    variance = float(np.var(validation.truth.numpy()))
    if variance == 0:
        raise TrainingError(
            "prepare.validation_fraction: expected validation truth that varies, "
            f"found one value in all {validation.n_windows} windows"
        )
    return _DEAD_FRACTION_OF_VARIANCE * variance


class DeadNetworkGuard(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Stop after the first epoch when the validation loss is that of a constant."""

    def __init__(self, dead_loss: float) -> None:
        super().__init__()
        self.dead = False
        self._dead_loss = dead_loss

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the first epoch only."""
        if epoch == 0 and logs is not None and logs["val_loss"] > self._dead_loss:
            self.dead = True
            self.model.stop_training = True


class KeepBest(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Restore, at the end, the weights of the epoch with the lowest validation loss.

    `best` is the loss of `weights` that are known already, of a fit that goes on.
    """

    def __init__(self, best: float = float("inf"), weights: Mapping[str, F32] | None = None):
        super().__init__()
        self._best = best
        self._weights = dict(weights or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Remember the weights when they are the best so far."""
        if logs is not None and logs["val_loss"] < self._best:
            self._best = logs["val_loss"]
            self._weights = get_weights(self.model)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Put the best weights back."""
        if self._weights:
            set_weights(self.model, self._weights)


def plateau_callbacks(params: TrainParams) -> list[Any]:
    """Return the original recipe: lower the rate on a plateau, then stop, keep the best."""
    return [
        tf.keras.callbacks.ReduceLROnPlateau(
            monitor="val_loss",
            factor=params.reduce_lr_factor,
            patience=params.reduce_lr_patience,
            min_delta=params.min_delta,
            min_lr=params.min_learning_rate,
        ),
        tf.keras.callbacks.EarlyStopping(
            monitor="val_loss",
            patience=params.early_stopping_patience,
            min_delta=params.min_delta,
            restore_best_weights=False,
        ),
        KeepBest(),
    ]
