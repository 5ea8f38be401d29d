"""Training of one quantized network with Keras: any cell, any quantizer, any device."""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipeline.base.architecture import Architecture, units_of
from pipeline.base.arrays import F32
from pipeline.networks.checkpoint import Checkpoint, KeepCheckpoint
from pipeline.networks.dead import DeadNetworkGuard
from pipeline.networks.fitting import Schedule, WindowData, WindowFitter
from pipeline.networks.float_network import get_weights, set_weights
from pipeline.networks.runtime import seed_everything
from pipeline.networks.stack.fitting import Progress
from pipeline.networks.training import KeepBest
from pipeline.quantization.training.network import build_quantized_network, forward, without_ste
from pipeline.quantization.training.result import QatResult
from pipeline.quantization.training.settings import QatSettings, cosine_decay
from pipeline.quantizers.quantizer import Quantizer


@dataclass(frozen=True, eq=False)
class KerasTraining:
    """Trains one network after the other; see `QatTrainer` for the attributes."""

    architecture: Architecture
    train: WindowData
    validation: WindowData
    strategy: Any

    def build(
        self, quantizers: Mapping[str, Quantizer], units: int | None = None
    ) -> tf.keras.Model:
        """Build the network with these quantizers; with new weights."""
        architecture = self.architecture if units is None else self.architecture.with_units(units)
        with self.strategy.scope():
            return build_quantized_network(architecture, quantizers)

    def fitter(
        self, quantizers: Mapping[str, Quantizer], weights: Mapping[str, F32], *, exact: bool
    ) -> WindowFitter:
        """Return what evaluates a network with these weights.

        With `exact` in QKeras' form that is q(x), otherwise in the one that has gradients,
        x + (q(x) - x), which is rounded: it decides where a sum lies half way between two values.
        """
        model = self.build(quantizers, units_of(weights))
        set_weights(model, weights)
        if exact:
            without_ste(model)
        return WindowFitter(model, tf.keras.optimizers.Adam(), self.strategy, forward)

    def fit(
        self,
        quantizers: Mapping[str, Quantizer],
        initial_weights: Mapping[str, F32] | None,
        settings: QatSettings,
        progress: Progress,
        checkpoint: Checkpoint | None,
    ) -> QatResult:
        """Train a network from one start; see `QatTrainer.fit`."""
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
        alive = tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: progress.after_epoch())
        fit = fitter.fit(
            self.train,
            self.validation,
            Schedule(settings.reached, settings.batch_size, seed, settings.first_epoch),
            callbacks=[guard, cosine_decay(settings), keep, best, alive],
            description=progress.description,
            show_progress=progress.shown,
        )
        validation_loss = fitter.mean_squared_error(self.validation)
        return QatResult(
            weights=(weights := get_weights(model)),
            validation_loss=validation_loss,
            fit=fit,
            dead=guard.dead or guard.is_constant(validation_loss),
            checkpoint=keep.checkpoint if settings.reached < settings.epochs else None,
            start_losses=(validation_loss,),
            start_weights=(weights,),
        )
