"""Several starts of one quantized network, trained as the lanes of a stack; the best goes on.

The luck of a training is in the order of its windows: scales that follow the weights jump
between powers of two, and coarse weights between their values. So one network is trained
several times, from the same weights in other orders, in about the time that Keras takes once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.base.architecture import INPUT
from pipeline.base.arrays import F32, F64
from pipeline.networks.dead import can_learn, loss_of_constant
from pipeline.networks.fitting import WindowData
from pipeline.networks.runtime import runs_on_one_cpu
from pipeline.networks.stack.checkpoint import StackCheckpoint
from pipeline.networks.stack.fitting import LaneFit, Plan, Progress, lane_seeds, windows_of
from pipeline.networks.stack.formats import NetworkFormats
from pipeline.networks.stack.stack import Stack, Windows, lanes
from pipeline.networks.starts import DeadLanes, new_weights
from pipeline.quantization.training.keras_training import KerasTraining
from pipeline.quantization.training.lanes import network_formats
from pipeline.quantization.training.result import QatResult, Starts
from pipeline.quantization.training.settings import QatSettings, rate_of
from pipeline.quantizers.powers_of_two import build_activation
from pipeline.quantizers.quantizer import Quantizer


@dataclass
class CosineRecipe:
    """The rate falls to 0 along half a cosine; a lane ends that waits too long for a better loss.

    Attributes
    ----------
    settings
        Epochs, rate, patience, and how many lanes count.
    waited
        Epochs since the lowest loss of each lane.
    all_dead
        Whether no lane can learn any more; asked after the first epoch, with its losses.
    """

    settings: QatSettings
    waited: NDArray[np.int64]
    all_dead: Callable[[F64], bool]

    def rates(self, epoch: int) -> F64:
        """Return the rate of an epoch, the same for all lanes."""
        return np.full(lanes(), rate_of(self.settings, epoch))

    def still_on(
        self, epoch: int, validation_loss: F64, improved: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return which lanes train on after an epoch with these losses."""
        self.waited = np.where(improved, 0, self.waited + 1)
        if epoch == 0 and self.all_dead(validation_loss):
            return np.full(lanes(), False)
        return self.patient

    @property
    def patient(self) -> NDArray[np.bool_]:
        """Lanes that count and have not waited for too long."""
        patience = math.inf if self.settings.patience is None else self.settings.patience
        return (np.arange(lanes()) < self.settings.starts) & (self.waited < patience)


class StackTraining:
    """Trains what a stack can, on the data of a `KerasTraining`.

    Parameters
    ----------
    keras
        The same data; its strategy says whether a stack is to be used at all: on one CPU.
    """

    def __init__(self, keras: KerasTraining) -> None:
        self.keras = keras
        self._kept: dict[str, tuple[Windows, Windows]] = {}

    def formats(
        self, quantizers: Mapping[str, Quantizer], units: int | None
    ) -> NetworkFormats | None:
        """Return the quantizers as a stack reads them; None if Keras is to train the network."""
        if not runs_on_one_cpu(self.keras.strategy):
            return None
        return network_formats(self.keras.architecture, quantizers, units)

    def fit(
        self,
        formats: NetworkFormats,
        quantizers: Mapping[str, Quantizer],
        initial_weights: Starts,
        settings: QatSettings,
        progress: Progress,
        checkpoint: StackCheckpoint | None,
    ) -> QatResult:
        """Train a network from several starts; see `QatTrainer.fit`."""
        train, validation = self._windows(quantizers)
        of_constant = loss_of_constant(self.keras.validation)
        waited: NDArray[np.int64] = np.zeros(lanes(), np.int64)
        best = None
        if checkpoint is None:
            stack = Stack([formats] * lanes(), self._starts(initial_weights, settings))
        else:
            steps = math.ceil(train.count / settings.batch_size) * settings.first_epoch
            moments = list(zip(checkpoint.first_moment, checkpoint.second_moment, strict=True))
            stack = Stack([formats] * lanes(), checkpoint.weights, moments, steps)
            stack.freeze_again(checkpoint.frozen)
            waited, best = checkpoint.waited, checkpoint.best

        def learns(of_lane: Mapping[str, F32]) -> bool:
            fitter = self.keras.fitter(quantizers, of_lane, exact=False)
            return can_learn(fitter, self.keras.train)

        find = DeadLanes(validation, of_constant, learns)

        def all_dead(losses: F64) -> bool:
            constant = find.constant(stack, losses)[: settings.starts].all()
            return bool(constant and find.dead(stack, losses)[: settings.starts].all())

        fit = LaneFit(stack, train, validation, best)
        recipe = CosineRecipe(settings, waited, all_dead)
        plan = Plan(
            settings.first_epoch,
            settings.reached,
            settings.batch_size,
            lane_seeds(settings.drawn_seed),
            settings.epochs,
        )
        if recipe.patient.any():
            fit.run(plan, recipe, progress)
        losses = fit.best_loss[: settings.starts]
        winner = int(np.argmin(losses))
        of_best = stack.with_weights(fit.best_weights)
        dead = bool(find.constant(of_best, fit.best_loss)[winner])
        return QatResult(
            weights=fit.best_weights[winner],
            validation_loss=float(losses[winner]),
            fit=fit.curve(winner),
            dead=dead,
            checkpoint=_checkpoint(fit, recipe) if settings.reached < settings.epochs else None,
            start_losses=tuple(float(loss) for loss in losses),
            start_weights=tuple(fit.best_weights[: settings.starts]),
        )

    def _starts(self, starts: Starts, settings: QatSettings) -> Sequence[Mapping[str, F32]]:
        """Return where each lane starts; where there are fewer starts, they come again."""
        if isinstance(starts, Mapping):
            return [starts] * lanes()
        if starts is not None:
            return [starts[lane % len(starts)] for lane in range(lanes())]
        units = settings.units or self.keras.architecture.units
        architecture = self.keras.architecture.with_units(units)
        return new_weights(architecture, lane_seeds(settings.drawn_seed))

    def _windows(self, quantizers: Mapping[str, Quantizer]) -> tuple[Windows, Windows]:
        """Return the data as a stack reads them; kept, for trials mostly share the quantizer."""
        text = quantizers[INPUT].text if INPUT in quantizers else ""
        if text not in self._kept:
            data = self.keras.train, self.keras.validation
            train, validation = (_as_read(split, quantizers) for split in data)
            self._kept[text] = train, validation
        return self._kept[text]


def _as_read(data: WindowData, quantizers: Mapping[str, Quantizer]) -> Windows:
    """Return data as a stack reads them: samples already through the input's quantizer."""
    if INPUT not in quantizers:
        return windows_of(data)
    quantizer = build_activation(quantizers[INPUT], INPUT)
    quantizer.use_ste = False  # q(x), not x + (q(x) - x)
    return windows_of(data, quantizer(data.samples))


def _checkpoint(fit: LaneFit, recipe: CosineRecipe) -> StackCheckpoint:
    first, second = zip(*fit.stack.moments, strict=True)
    return StackCheckpoint(
        fit.stack.weights,
        list(first),
        list(second),
        fit.stack.frozen,
        fit.best_weights,
        recipe.waited,
    )
