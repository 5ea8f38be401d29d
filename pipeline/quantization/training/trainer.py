"""One trial: a quantized network trained from the float weights, scored, remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipeline.base.architecture import Architecture, units_of
from pipeline.base.arrays import F32
from pipeline.base.errors import say
from pipeline.networks.checkpoint import Checkpoint
from pipeline.networks.dead import DEAD
from pipeline.networks.fitting import WindowData
from pipeline.networks.stack.checkpoint import StackCheckpoint
from pipeline.networks.stack.fitting import Progress
from pipeline.quantization.training.keras_training import KerasTraining
from pipeline.quantization.training.rescaling import within_one
from pipeline.quantization.training.resizing import resize
from pipeline.quantization.training.result import AnyCheckpoint, QatResult
from pipeline.quantization.training.settings import QatSettings
from pipeline.quantization.training.stack_training import StackTraining
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
        self._keras = KerasTraining(architecture, train, validation, strategy)
        self._stack = StackTraining(self._keras)

    def build(
        self, quantizers: Mapping[str, Quantizer], units: int | None = None
    ) -> tf.keras.Model:
        """Build the network with these quantizers; with new weights."""
        return self._keras.build(quantizers, units)

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
        checkpoint: AnyCheckpoint | None = None,
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
        checkpoint: AnyCheckpoint | None,
    ) -> QatResult:
        progress = Progress(description, self.show_progress, self.after_epoch)
        formats = self._stack.formats(quantizers, settings.units)
        if formats is None:
            if isinstance(checkpoint, StackCheckpoint):
                raise ValueError("a training of a stack cannot go on with Keras")
            return self._keras.fit(quantizers, initial_weights, settings, progress, checkpoint)
        if isinstance(checkpoint, Checkpoint):
            raise ValueError("a training with Keras cannot go on in a stack")
        return self._stack.fit(formats, quantizers, initial_weights, settings, progress, checkpoint)

    def load_checkpoint(
        self, path: Path, quantizers: Mapping[str, Quantizer], settings: QatSettings
    ) -> AnyCheckpoint:
        """Read where a training of such a network stands; see `Checkpoint.load`."""
        units = settings.units or self.architecture.units
        shapes = self.architecture.with_units(units).weight_shapes
        if self._stack.formats(quantizers, settings.units) is None:
            return Checkpoint.load(path, shapes)
        return StackCheckpoint.load(path, shapes)

    def validation_loss(
        self, quantizers: Mapping[str, Quantizer], weights: Mapping[str, F32]
    ) -> float:
        """Return QKeras' validation loss of some weights, trained or not.

        In the form in which they are or would be trained: exact in a stack.
        """
        exact = self._stack.formats(quantizers, units_of(weights)) is not None
        fitter = self._keras.fitter(quantizers, weights, exact=exact)
        return fitter.mean_squared_error(self.validation)

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
