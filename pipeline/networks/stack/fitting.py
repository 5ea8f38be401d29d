"""Train a stack epoch by epoch: rates by lane, the best weights of each lane, early ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.base.arrays import F64
from pipeline.networks.fitting import FitResult, WindowData, rmse_mev
from pipeline.networks.stack.stack import Stack, Weights, Windows, lanes

_HOLD_FROM, _FREEZE = 0.5, (0.55, 0.95)  # parts of a training


class Recipe(Protocol):
    """What a training does from epoch to epoch, lane by lane."""

    def rates(self, epoch: int) -> F64:
        """Return the learning rates of an epoch, counted from 0, ``(lanes,)``."""

    def still_on(
        self, epoch: int, validation_loss: F64, improved: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Take the losses of an epoch, and which are the lowest so far; return who trains on."""


@dataclass(frozen=True)
class Plan:
    """What is run now, of a training that may have more epochs before and after.

    Attributes
    ----------
    first_epoch, last_epoch
        Epochs from the first, counted from 0, up to the last, which is left out.
    batch_size
        Windows in a step.
    seeds
        By lane: what the orders of windows are drawn with.
    epochs
        Of the whole training: from half of it on scales are held, from 55 % to 95 % of it
        recurrent weights are frozen, one after the other; see `Stack`. None does neither.
    """

    first_epoch: int
    last_epoch: int
    batch_size: int
    seeds: Sequence[int]
    epochs: int | None = None


@dataclass(frozen=True)
class Progress:
    """How a training is shown: label of the bar, whether there is one, a call each epoch."""

    description: str
    shown: bool = True
    after_epoch: Callable[[], object] = lambda: None


@dataclass
class LaneCurves:
    """Losses of every epoch, each ``(lanes,)``: mean squared errors in scaled units."""

    loss: list[F64] = field(default_factory=list)
    validation_loss: list[F64] = field(default_factory=list)
    learning_rate: list[F64] = field(default_factory=list)


class LaneFit:
    """A training of a stack, and the best weights of each lane so far.

    Parameters
    ----------
    stack
        What is trained.
    train, validation
        Windows, with the samples as the stack's networks read them.
    best
        Of a training that goes on: the best weights of each lane.

    Attributes
    ----------
    best_weights, best_loss
        Of each lane, by ``layer/tensor``; mean squared error on validation, ``(lanes,)``.
        A lane that never had a finite loss has infinity, and the weights that it started from.
    """

    def __init__(
        self,
        stack: Stack,
        train: Windows,
        validation: Windows,
        best: Sequence[Weights] | None = None,
    ) -> None:
        self.stack, self.train, self.validation = stack, train, validation
        self.curves = LaneCurves()
        self.best_weights = list(best or stack.weights)
        self.best_loss: F64 = np.full(lanes(), np.inf)
        self._epochs: NDArray[np.int64] = np.zeros(lanes(), np.int64)
        if best is not None:
            self.best_loss = stack.with_weights(best).mean_squared_errors(validation)

    def curve(self, lane: int) -> FitResult:
        """Return the loss curve of one lane, up to where it ended."""
        curves, count = self.curves, self._epochs[lane]
        return FitResult(
            *(
                [float(of_lanes[lane]) for of_lanes in epochs[:count]]
                for epochs in (curves.loss, curves.validation_loss, curves.learning_rate)
            )
        )

    def run(self, plan: Plan, recipe: Recipe, progress: Progress) -> None:
        """Train up to the last epoch of the plan, or until no lane trains on.

        The order of an epoch follows from a lane's seed and the number of the epoch: a training
        in parts is that in one.

        Raises
        ------
        FloatingPointError
            If the losses of all lanes stop being finite.
        """
        with tqdm(
            total=plan.last_epoch,
            initial=plan.first_epoch,
            desc=progress.description,
            unit="epoch",
            disable=None if progress.shown else True,
        ) as bar:
            running: NDArray[np.bool_] = np.full(lanes(), True)
            for epoch in range(plan.first_epoch, plan.last_epoch):
                validation_loss, improved = self._epoch(plan, epoch, recipe.rates(epoch), running)
                self._epochs += running
                running &= recipe.still_on(epoch, validation_loss, improved)
                progress.after_epoch()
                bar.update()
                best_mev = rmse_mev(float(self.best_loss.min()), self.validation.et_scale_gev)
                bar.set_postfix_str(f"best of {lanes()}: {best_mev:.2f} MeV")
                if not running.any():
                    break

    def _epoch(
        self, plan: Plan, epoch: int, rates: F64, running: NDArray[np.bool_]
    ) -> tuple[F64, NDArray[np.bool_]]:
        if plan.epochs is not None:
            settle(self.stack, epoch / plan.epochs)
        seeds = [epoch_seed(seed, epoch) for seed in plan.seeds]
        loss = self.stack.train_epoch(self.train, plan.batch_size, list(rates), seeds)
        validation_loss = self.stack.mean_squared_errors(self.validation)
        # Errors that overflow leave Adam standing still: the weights look sound.
        validation_loss[~np.isfinite(loss)] = np.inf
        if not np.isfinite(validation_loss).any():
            raise FloatingPointError(f"the loss is not finite in epoch {epoch + 1}")
        self.curves.loss.append(loss)
        self.curves.validation_loss.append(validation_loss)
        self.curves.learning_rate.append(rates)
        better = running & (validation_loss < self.best_loss)
        if better.any():
            weights = self.stack.weights
            for lane in np.flatnonzero(better):
                self.best_weights[lane] = weights[lane]
            self.best_loss = np.where(better, validation_loss, self.best_loss)
        return validation_loss, better


def windows_of(data: WindowData, samples: tf.Tensor | None = None) -> Windows:
    """Return data as a stack reads them; with other samples where a quantizer changed them."""
    return Windows(
        np.ascontiguousarray((data.samples if samples is None else samples).numpy(), np.float32),
        np.ascontiguousarray(data.truth.numpy(), np.float32),
        data.window_length,
        data.window_length - data.target_lag,
        data.et_scale_gev,
    )


def settle(stack: Stack, done: float) -> None:
    """Hold scales and freeze weights, as far as that is due after a part of a training."""
    if done >= _HOLD_FROM:
        stack.hold_scales()
    begin, end = _FREEZE
    if done > begin:
        stack.freeze(min(1.0, (done - begin) / (end - begin)))


def epoch_seed(seed: int, epoch: int) -> int:
    """Return what the order of one epoch is drawn with, 64 bits."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0])


def lane_seeds(seed: int) -> list[int]:
    """Return a seed for each lane; that of the first is `seed` itself."""
    more = np.random.SeedSequence(seed).generate_state(lanes() - 1)
    return [seed, *(int(value) for value in more)]
