"""One trial: a quantized network trained from the float weights, scored, remembered."""

from __future__ import annotations

import gc
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.architecture import Architecture, units_of
from pipeline.base.arrays import F32
from pipeline.networks.checkpoint import Checkpoint, KeepCheckpoint
from pipeline.networks.fitting import FitResult, Schedule, WindowData, WindowFitter
from pipeline.networks.float_network import get_weights, set_weights
from pipeline.networks.runtime import seed_everything
from pipeline.networks.training import DeadNetworkGuard, KeepBest, dead_loss
from pipeline.quantization.training.network import build_quantized_network, forward
from pipeline.quantization.training.rescaling import within_one
from pipeline.quantization.training.resizing import resize
from pipeline.quantizers.quantizer import Quantizer

# A network that lost or gained units: how it is trained as a float network, and how many
# windows decide which units it can spare. More epochs make a better float network, whose larger
# weights quantize worse (docs/search.md).
RESIZED_EPOCHS = 8
RESIZED_BATCH = 64
RESIZED_RATE = 1e-3
RESIZED_SEED = 1
PROBE_WINDOWS = 16384


@dataclass(frozen=True)
class QatSettings:
    """How a quantized network is trained: Adam, the rate falling to 0 along a cosine.

    Attributes
    ----------
    epochs
        Of the whole training, over which the rate falls.
    batch_size, learning_rate, seed
        Windows in a step, the rate at the start, and what batches are drawn with.
    units
        Width of the recurrent layer; None is that of the float network.
    first_epoch, last_epoch
        The part of the training that is run now; None goes to the end.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    units: int | None = None
    first_epoch: int = 0
    last_epoch: int | None = None

    @property
    def reached(self) -> int:
        """Epochs run when this part of the training is over."""
        return self.epochs if self.last_epoch is None else self.last_epoch


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
        Whether the output was constant after the first epoch.
    checkpoint
        Where to go on from, if the training is not over.
    """

    weights: dict[str, F32]
    validation_loss: float
    fit: FitResult
    dead: bool
    checkpoint: Checkpoint | None = None


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
        if not result.dead or initial_weights is None or self.architecture.gated:
            return result
        print(
            f"{description}: dead after one epoch; starts again with hidden units below 1",
            file=sys.stderr,
        )
        tame = within_one(initial_weights, self._probe()[0])
        return self._fit(quantizers, tame, settings, description, checkpoint)

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
        seed_everything(settings.seed)
        model = self.build(quantizers, settings.units)
        if initial_weights is not None:
            set_weights(model, initial_weights)
        with self.strategy.scope():
            optimizer = tf.keras.optimizers.Adam(settings.learning_rate)
        fitter = WindowFitter(model, optimizer, self.strategy, forward)
        guard, keep = DeadNetworkGuard(dead_loss(self.validation)), KeepCheckpoint()
        best = KeepBest()
        if checkpoint is not None:
            best = KeepBest(fitter.mean_squared_error(self.validation), initial_weights)
            steps_of_epoch = math.ceil(self.train.n_windows / settings.batch_size)
            checkpoint.restore(model, optimizer, settings.first_epoch * steps_of_epoch)
        fit = fitter.fit(
            self.train,
            self.validation,
            Schedule(settings.reached, settings.batch_size, settings.seed, settings.first_epoch),
            callbacks=[guard, cosine_decay(settings), keep, best, self._sign_of_life()],
            description=description,
        )
        return QatResult(
            weights=get_weights(model),
            validation_loss=fitter.mean_squared_error(self.validation),
            fit=fit,
            dead=guard.dead,
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
        first = np.linspace(0, self.train.n_windows - 1, PROBE_WINDOWS).astype(np.int32)
        inputs, targets = self.train.gather(tf.constant(first))
        return inputs.numpy()[..., 0], targets.numpy()[:, 0]


def cosine_decay(settings: QatSettings) -> Any:
    """Return a callback that lowers the learning rate to 0 along half a cosine.

    The weights of a coarse network keep hopping between grid points at a
    constant rate; they settle only as it vanishes.
    """

    def rate(epoch: int, _: float) -> float:
        done = epoch / settings.epochs
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    schedule: Callable[[int, float], float] = rate
    return tf.keras.callbacks.LearningRateScheduler(schedule)
