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
from pipeline.networks.dead import can_learn, is_constant, loss_of_constant, may_be_constant
from pipeline.networks.fitting import WindowData
from pipeline.networks.float_network import build_float_network, get_weights
from pipeline.networks.runtime import runs_on_one_cpu, seed_everything
from pipeline.networks.stack.checkpoint import StackCheckpoint
from pipeline.networks.stack.fitting import LaneFit, Plan, Progress, lane_seeds
from pipeline.networks.stack.formats import NetworkFormats
from pipeline.networks.stack.stack import Stack, Windows, lanes
from pipeline.quantization.training.keras_training import KerasTraining
from pipeline.quantization.training.lanes import network_formats
from pipeline.quantization.training.result import QatResult
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
    best, waited
        Lowest loss of each lane so far, and epochs since then.
    all_dead
        Whether no lane can learn any more; asked after the first epoch, with its losses.
    """

    settings: QatSettings
    best: F64
    waited: NDArray[np.int64]
    all_dead: Callable[[F64], bool]

    def rates(self, epoch: int) -> F64:
        """Return the rate of an epoch, the same for all lanes."""
        return np.full(lanes(), rate_of(self.settings, epoch))

    def still_on(self, epoch: int, validation_loss: F64) -> NDArray[np.bool_]:
        """Return which lanes train on after an epoch with these losses."""
        better = validation_loss < self.best
        self.best = np.where(better, validation_loss, self.best)
        self.waited = np.where(better, 0, self.waited + 1)
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
        initial_weights: Mapping[str, F32] | None,
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

        def all_dead(losses: F64) -> bool:
            counted = losses[: settings.starts]
            if not all(may_be_constant(float(loss), of_constant) for loss in counted):
                return False
            outputs = stack.predict(validation)
            return all(
                is_constant(outputs[:, lane])
                and not can_learn(
                    self.keras.fitter(quantizers, weights, exact=False), self.keras.train
                )
                for lane, weights in enumerate(stack.weights[: settings.starts])
            )

        fit = LaneFit(stack, train, validation, best)
        recipe = CosineRecipe(settings, fit.best_loss, waited, all_dead)
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
        dead = may_be_constant(float(losses[winner]), of_constant) and is_constant(
            stack.with_weights(fit.best_weights).predict(validation)[:, winner]
        )
        return QatResult(
            weights=fit.best_weights[winner],
            validation_loss=float(losses[winner]),
            fit=fit.curve(winner),
            dead=dead,
            checkpoint=_checkpoint(fit, recipe) if settings.reached < settings.epochs else None,
            start_losses=tuple(float(loss) for loss in losses),
        )

    def _starts(
        self, weights: Mapping[str, F32] | None, settings: QatSettings
    ) -> Sequence[Mapping[str, F32]]:
        """Return where each lane starts: all from the same weights, or each from its own."""
        if weights is not None:
            return [weights] * lanes()
        architecture = self.keras.architecture
        own = []
        for seed in lane_seeds(settings.drawn_seed):
            seed_everything(seed)
            units = settings.units or architecture.units
            own.append(get_weights(build_float_network(architecture.with_units(units))))
        return own

    def _windows(self, quantizers: Mapping[str, Quantizer]) -> tuple[Windows, Windows]:
        """Return the data as a stack reads them; kept, for trials mostly share the quantizer."""
        text = quantizers[INPUT].text if INPUT in quantizers else ""
        if text not in self._kept:
            data = self.keras.train, self.keras.validation
            train, validation = (windows_of(split, quantizers) for split in data)
            self._kept[text] = train, validation
        return self._kept[text]


def windows_of(data: WindowData, quantizers: Mapping[str, Quantizer]) -> Windows:
    """Return data as a stack reads them: samples already through the input's quantizer."""
    samples = data.samples
    if INPUT in quantizers:
        quantizer = build_activation(quantizers[INPUT], INPUT)
        quantizer.use_ste = False  # q(x), not x + (q(x) - x)
        samples = quantizer(samples)
    return Windows(
        np.ascontiguousarray(samples.numpy(), np.float32),
        np.ascontiguousarray(data.truth.numpy(), np.float32),
        data.window_length,
        data.window_length - data.target_lag,
        data.et_scale_gev,
    )


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
