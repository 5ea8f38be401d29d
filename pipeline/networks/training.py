"""Train the float network: several starts, restarts of dead ones, the original recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32
from pipeline.base.errors import say
from pipeline.networks.dead import DEAD, DeadNetworkGuard, TrainingError
from pipeline.networks.fitting import FitResult, Schedule, WindowData, WindowFitter, rmse_mev
from pipeline.networks.float_network import build_float_network, get_weights, set_weights
from pipeline.networks.runtime import runs_on_one_cpu, seed_everything
from pipeline.networks.stack.stack import most_units
from pipeline.networks.starts import train_starts
from pipeline.params.network import TrainParams


@dataclass(frozen=True)
class Start:
    """One training of a float network: its course, lowest validation loss, and whether it died."""

    fit: FitResult
    validation_loss: float
    dead: bool

    def line(self, et_scale_gev: float) -> str:
        """Say how it ended."""
        if self.dead:
            return "dead"
        reached = rmse_mev(self.validation_loss, et_scale_gev)
        return f"{reached:.2f} MeV on validation after {_epochs(self.fit.epochs)}"


@dataclass(frozen=True)
class TrainedNetwork:
    """The best weights of a fit, by ``layer/tensor``, and how they came about.

    Attributes
    ----------
    fit
        Of the start that the weights are of.
    starts
        All that were trained at once, that one among them.
    """

    weights: dict[str, F32]
    fit: FitResult
    restarts: int
    validation_loss: float
    test_output: F32
    starts: tuple[Start, ...] = ()


def train_float(
    params: TrainParams,
    strategy: Any,
    train: WindowData,
    validation: WindowData,
    test: WindowData,
) -> TrainedNetwork:
    """Train until the plateau, from new weights while the network starts out dead.

    A SimpleRNN on one CPU is trained ``train.seeds`` times at once, and the best on validation
    counts (`pipeline.networks.starts`). Other networks, and other devices, have one start.

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
        If ``train.max_restarts`` new seeds all gave a dead network, the loss stopped being
        finite, or all validation targets are equal.
    """
    architecture = Architecture(params.cell, params.units, train.window_length)
    in_stack = (
        params.cell == "SimpleRNN" and params.units <= most_units() and runs_on_one_cpu(strategy)
    )
    attempt = _fit_lanes if in_stack else _fit_with_keras
    for restart in range(params.max_restarts + 1):
        seed = params.seed + restart
        with strategy.scope():
            seed_everything(seed)
            model = build_float_network(architecture)
            optimizer = tf.keras.optimizers.Adam(params.learning_rate)
        fitter = WindowFitter(model, optimizer, strategy)
        try:
            starts = attempt(params, seed, fitter, train, validation)
        except FloatingPointError as error:
            raise TrainingError(f"train.learning_rate: {params.learning_rate}: {error}") from error
        alive = [start for start in starts if not start.dead]
        if alive:
            best = min(alive, key=lambda start: start.validation_loss)
            return TrainedNetwork(
                weights=get_weights(model),
                fit=best.fit,
                restarts=restart,
                validation_loss=fitter.mean_squared_error(validation),
                test_output=fitter.predict(test),
                starts=starts,
            )
        say(f"train (seed {seed}): dead after {_epochs(starts[0].fit.epochs)}: {DEAD}")
    raise TrainingError(
        f"train.max_restarts: {params.max_restarts + 1} seeds from {params.seed} on all gave a "
        f"dead network ({DEAD}); change train.seed or lower train.learning_rate"
    )


def _fit_lanes(
    params: TrainParams,
    seed: int,
    fitter: WindowFitter,
    train: WindowData,
    validation: WindowData,
) -> tuple[Start, ...]:
    """Train starts as lanes of a stack; leave the weights of the best in the fitter's model."""
    fit, dead = train_starts(params, seed, fitter, train, validation)
    best = int(np.argmin(np.where(dead, np.inf, fit.best_loss[: params.seeds])))
    set_weights(fitter.model, fit.best_weights[best])
    return tuple(
        Start(fit.curve(lane), float(fit.best_loss[lane]), bool(dead[lane]))
        for lane in range(params.seeds)
    )


def _fit_with_keras(
    params: TrainParams,
    seed: int,
    fitter: WindowFitter,
    train: WindowData,
    validation: WindowData,
) -> tuple[Start, ...]:
    """Train one start with Keras' own callbacks; the model keeps the best weights."""
    guard = DeadNetworkGuard(fitter, train, validation)
    fit = fitter.fit(
        train,
        validation,
        Schedule(params.epochs, params.batch_size, seed),
        callbacks=[guard, *plateau_callbacks(params)],
        description=f"train (seed {seed})",
    )
    loss = fitter.mean_squared_error(validation)
    return (Start(fit, loss, guard.dead or guard.is_constant(loss)),)


def starts_table(curves: Sequence[Mapping[str, list[float]]]) -> dict[str, list[float]]:
    """Put tables of `FitResult` below one another: start, counted from 1, epoch, error."""
    return {
        "start": [start for start, curve in enumerate(curves, 1) for _ in curve["epoch"]],
        **{
            name: [value for curve in curves for value in curve[name]]
            for name in ("epoch", "validation_rmse_mev")
        },
    }


def _epochs(count: int) -> str:
    return "one epoch" if count == 1 else f"{count} epochs"


class KeepBest(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Restore, at the end, the weights of the epoch with the lowest validation loss.

    Parameters
    ----------
    best, weights
        Of a fit that goes on: the loss of the weights that are the best so far.
    waited
        Of a fit that goes on: epochs since then.
    patience
        Epochs without a lower loss after which the fit stops; None never stops it.

    Attributes
    ----------
    waited
        Epochs since the best one.
    """

    def __init__(
        self,
        best: float = float("inf"),
        weights: Mapping[str, F32] | None = None,
        waited: int = 0,
        patience: int | None = None,
    ) -> None:
        super().__init__()
        self._best = best
        self._weights = dict(weights or {})
        self._patience = patience
        self.waited = waited

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Run no epoch of a fit that was over before."""
        self._stop_if_too_long()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Remember the weights when they are the best so far."""
        self.waited += 1
        if logs is not None and logs["val_loss"] < self._best:
            self._best = logs["val_loss"]
            self._weights = get_weights(self.model)
            self.waited = 0
        self._stop_if_too_long()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Put the best weights back."""
        if self._weights:
            set_weights(self.model, self._weights)

    def _stop_if_too_long(self) -> None:
        if self._patience is not None and self.waited >= self._patience:
            self.model.stop_training = True


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
