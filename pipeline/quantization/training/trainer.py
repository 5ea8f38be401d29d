"""One trial: a quantized network trained from the float weights, scored, remembered."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import tensorflow as tf

from pipeline.base.architecture import Architecture, units_of
from pipeline.base.arrays import F32
from pipeline.base.errors import say
from pipeline.networks.checkpoint import Checkpoint, KeepCheckpoint
from pipeline.networks.dead import DEAD, DeadNetworkGuard
from pipeline.networks.fitting import FitResult, Schedule, WindowData, WindowFitter
from pipeline.networks.float_network import get_weights, set_weights
from pipeline.networks.runtime import seed_everything
from pipeline.networks.training import KeepBest
from pipeline.quantization.training.network import build_quantized_network, forward
from pipeline.quantization.training.rescaling import within_one
from pipeline.quantization.training.resizing import resize
from pipeline.quantization.training.settings import QatSettings, cosine_decay
from pipeline.quantizers.quantizer import Quantizer

# A network that lost or gained units: how it is trained as a float network, and how many
# windows decide which units it can spare. More epochs make a better float network, whose larger
# weights quantize worse (docs/search.md).
RESIZED_EPOCHS = 8
RESIZED_BATCH = 64
RESIZED_RATE = 1e-3
RESIZED_SEED = 1
PROBE_WINDOWS = 16384
MOST_RESTARTS = 10
"""New seeds for a network that starts from random weights and is dead; the default of `train`."""


@dataclass(frozen=True)
class QatResult:
    """A trained quantized network.

    Attributes
    ----------
    weights
        Of the best epoch, by ``layer/tensor``.
    validation_loss
        Theirs: mean squared error in scaled units.
    fit
        The loss curve.
    dead
        Whether the output is constant, after one epoch for good or at the end.
    checkpoint
        Where to go on from, if the training is not over.
    restarts
        New seeds that were drawn because the network was dead.
    """

    weights: dict[str, F32]
    validation_loss: float
    fit: FitResult
    dead: bool
    checkpoint: Checkpoint | None = None
    restarts: int = 0


class QatTrainer:
    """Trains quantized networks of one architecture on one data set.

    Parameters
    ----------
    architecture
        Of the float network; trainings may have other units.
    train, validation
        Data on the device, shared by all trainings.
    strategy
        The `tf.distribute` strategy that the data were placed with.

    Attributes
    ----------
    after_epoch
        Called after every epoch of every training, as a sign of life.
    show_progress
        Whether trainings draw a progress bar where there is a terminal.
    """

    def __init__(
        self,
        architecture: Architecture,
        train: WindowData,
        validation: WindowData,
        strategy: Any,
    ) -> None:
        self.architecture = architecture
        self.train = train
        self.validation = validation
        self.strategy = strategy
        self.after_epoch: Callable[[], object] = lambda: None
        self.show_progress = True

    def build(
        self, quantizers: Mapping[str, Quantizer], units: int | None = None
    ) -> tf.keras.Model:
        """Build the network with these quantizers; with new weights."""
        architecture = self.architecture if units is None else self.architecture.with_units(units)
        with self.strategy.scope():
            return build_quantized_network(architecture, quantizers)

    def float_start(self, weights: Mapping[str, F32], units: int) -> dict[str, F32]:
        """Return float weights of a network of another width, pruned or grown, then trained.

        A pruned network needs some epochs to make up for the units that it lost;
        quantizing it at once would train both losses against each other.
        """
        samples, targets = self._probe()
        started = resize(weights, self.architecture.cell, units, samples, targets)
        settings = QatSettings(RESIZED_EPOCHS, RESIZED_BATCH, RESIZED_RATE, RESIZED_SEED, units)
        result = self.fit({}, started, settings, f"float, {units} units")
        return result.weights

    def fit(
        self,
        quantizers: Mapping[str, Quantizer],
        initial_weights: Mapping[str, F32] | None,
        settings: QatSettings,
        description: str,
        checkpoint: Checkpoint | None = None,
    ) -> QatResult:
        """Train a network with these quantizers.

        Quantizing can kill a network at once: units of the float network that go beyond 1 are
        cut off, and the steps of the first epoch do the rest. A SimpleRNN that is dead after
        it starts again from the same function with all hidden units below 1. (Started so in
        the first place, networks end up to 1 MeV worse: docs/search.md.)

        Parameters
        ----------
        quantizers
            By tensor, see `quantized_tensors`.
        initial_weights
            Where to start from; None starts from new random weights. Where a training goes
            on, the best weights so far.
        settings
            Epochs, batch, rate and seed.
        description
            Label of the progress bar.
        checkpoint
            Where a training goes on that was run up to ``settings.first_epoch``.

        Raises
        ------
        FloatingPointError
            If the loss stops being finite.
        """
        result = self._fit(quantizers, initial_weights, settings, description, checkpoint)
        if checkpoint is not None or not _starts_again(result):
            return replace(result, restarts=settings.restarts)
        if initial_weights is None:
            return self._fit_with_new_seeds(quantizers, settings, description)
        if self.architecture.gated:
            return result
        say(f"{description}: dead after one epoch; starts again with hidden units below 1")
        tame = within_one(initial_weights, self._probe()[0])
        return self._fit(quantizers, tame, settings, description, None)

    def _fit_with_new_seeds(
        self, quantizers: Mapping[str, Quantizer], settings: QatSettings, description: str
    ) -> QatResult:
        """Train from other random weights until a network is alive."""
        for restarts in range(1, MOST_RESTARTS + 1):
            again = replace(settings, restarts=restarts)
            say(
                f"{description}: dead after one epoch ({DEAD}); "
                f"starts again with a new seed, {restarts} of at most {MOST_RESTARTS}"
            )
            result = self._fit(quantizers, None, again, description, None)
            if not _starts_again(result):
                break
        return replace(result, restarts=restarts)

    def _fit(
        self,
        quantizers: Mapping[str, Quantizer],
        initial_weights: Mapping[str, F32] | None,
        settings: QatSettings,
        description: str,
        checkpoint: Checkpoint | None,
    ) -> QatResult:
        # Keras keeps every graph it has built: without this, memory grows by the trial.
        tf.keras.backend.clear_session()
        gc.collect()
        seed_everything(settings.drawn_seed)
        model = self.build(quantizers, settings.units)
        if initial_weights is not None:
            set_weights(model, initial_weights)
        with self.strategy.scope():
            optimizer = tf.keras.optimizers.Adam(settings.learning_rate)
        fitter = WindowFitter(model, optimizer, self.strategy, forward)
        guard = DeadNetworkGuard(fitter, self.train, self.validation)
        best = KeepBest(patience=settings.patience)
        if checkpoint is not None:
            loss = fitter.mean_squared_error(self.validation)
            best = KeepBest(loss, initial_weights, checkpoint.waited, settings.patience)
            steps_of_epoch = math.ceil(self.train.n_windows / settings.batch_size)
            checkpoint.restore(model, optimizer, settings.first_epoch * steps_of_epoch)
        keep, seed = KeepCheckpoint(best), settings.drawn_seed
        fit = fitter.fit(
            self.train,
            self.validation,
            Schedule(settings.reached, settings.batch_size, seed, settings.first_epoch),
            callbacks=[guard, cosine_decay(settings), keep, best, self._sign_of_life()],
            description=description,
            show_progress=self.show_progress,
        )
        validation_loss = fitter.mean_squared_error(self.validation)
        return QatResult(
            weights=get_weights(model),
            validation_loss=validation_loss,
            fit=fit,
            dead=guard.dead or guard.is_constant(validation_loss),
            checkpoint=keep.checkpoint if settings.reached < settings.epochs else None,
        )

    def validation_loss(
        self, quantizers: Mapping[str, Quantizer], weights: Mapping[str, F32]
    ) -> float:
        """Return the validation loss of some weights, trained or not."""
        model = self.build(quantizers, units_of(weights))
        set_weights(model, weights)
        fitter = WindowFitter(model, tf.keras.optimizers.Adam(), self.strategy, forward)
        return fitter.mean_squared_error(self.validation)

    def _sign_of_life(self) -> Any:
        return tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: self.after_epoch())

    def _probe(self) -> tuple[F32, F32]:
        """Return evenly spread training windows (n, L) and their targets (n,), scaled."""
        inputs, targets = self.train.spread(PROBE_WINDOWS)
        return inputs.numpy()[..., 0], targets.numpy()[:, 0]


def _starts_again(result: QatResult) -> bool:
    """Whether a network was dead after its first epoch.

    One that has a gradient trains on; if it is constant in the end all the same, its
    quantizers are too coarse, which no other start changes.
    """
    return result.dead and result.fit.epochs <= 1
