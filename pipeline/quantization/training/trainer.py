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
from pipeline.networks.dead import DEAD, loss_of_constant, may_be_constant
from pipeline.networks.fitting import WindowData
from pipeline.networks.stack.checkpoint import StackCheckpoint
from pipeline.networks.stack.fitting import Progress, lane_seeds
from pipeline.networks.starts import new_weights
from pipeline.quantization.training.keras_training import KerasTraining
from pipeline.quantization.training.rescaling import (
    fill_range,
    is_sign_and_shift,
    kernel_of_powers_of_two,
    within_one,
)
from pipeline.quantization.training.resizing import resize
from pipeline.quantization.training.result import (
    AnyCheckpoint,
    QatResult,
    Starts,
    first_of,
    for_each,
)
from pipeline.quantization.training.settings import QatSettings
from pipeline.quantization.training.stack_training import StackTraining
from pipeline.quantizers.quantizer import Quantizer

# Float networks that trials start from: how they are trained, and how many windows decide which
# units one can spare.
START_EPOCHS = 40
START_BATCH = 64
START_RATE = 1e-3
START_SEED = 1
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

    def float_starts(
        self, weights: Mapping[str, F32], units: int, count: int
    ) -> list[Mapping[str, F32]]:
        """Return float networks of one width, for the starts of a quantized network.

        How well a float network is quantized does not follow from how good it is
        (docs/search.md), so the starts are several: the first is made of the given network, the
        others of random weights. In place of one that is dead stands the best.

        Parameters
        ----------
        weights
            Of a float network; pruned or grown if it has another width.
        units
            The width that is wanted.
        count
            How many, where a stack can train several; otherwise there is one.
        """
        samples, targets = self._probe()
        first = resize(weights, self.architecture.cell, units, samples, targets)
        count = self.starts_of(units, count)
        seeds = lane_seeds(START_SEED)[1:count] if count > 1 else []
        starts = [first, *new_weights(self.architecture.with_units(units), seeds)]
        settings = QatSettings(
            START_EPOCHS, START_BATCH, START_RATE, START_SEED, units, starts=count
        )
        result = self.fit({}, starts, settings, f"float, {units} units")
        of_constant = loss_of_constant(self.validation)
        return [
            result.weights if may_be_constant(loss, of_constant) else trained
            for trained, loss in zip(result.start_weights, result.start_losses, strict=True)
        ]

    def rescaled(self, starts: Starts, kernel: Quantizer | None) -> Starts:
        """Return the same networks in the form that quantizers suit best; LSTM and GRU as they are.

        A ReLU lets each hidden unit have any scale. Where the kernel's quantizer has signs and
        powers of two only, that scale makes the unit's one weight such a number; and all units
        fill the range of their quantizer.
        """
        if self.architecture.gated:
            return starts
        if kernel is not None and is_sign_and_shift(kernel):
            starts = for_each(kernel_of_powers_of_two, starts)
        samples = self._probe()[0]
        return for_each(lambda weights: fill_range(weights, samples), starts)

    def starts_of(self, units: int, count: int) -> int:
        """Return how many float networks `float_starts` returns if it is asked for so many."""
        return 1 if self._stack.formats({}, units) is None else count

    def fit(
        self,
        quantizers: Mapping[str, Quantizer],
        initial_weights: Starts,
        settings: QatSettings,
        description: str,
        checkpoint: AnyCheckpoint | None = None,
    ) -> QatResult:
        """Train a network with these quantizers.

        Quantizing can kill a network at once: units of the float network that go beyond 1 are
        cut off, and the steps of the first epoch do the rest. A SimpleRNN that is dead after
        it starts again from the same function with all hidden units below 1.

        Parameters
        ----------
        quantizers
            By tensor, see `quantized_tensors`.
        initial_weights
            Where to start from: one network, or one for each start; None starts from new random
            weights. Where a training goes on, the best weights so far.
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
        samples = self._probe()[0]
        tame = for_each(lambda weights: within_one(weights, samples), initial_weights)
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
        initial_weights: Starts,
        settings: QatSettings,
        description: str,
        checkpoint: AnyCheckpoint | None,
    ) -> QatResult:
        progress = Progress(description, self.show_progress, self.after_epoch)
        formats = self._stack.formats(quantizers, settings.units)
        if formats is None:
            if isinstance(checkpoint, StackCheckpoint):
                raise ValueError("a training of a stack cannot go on with Keras")
            start = first_of(initial_weights)
            return self._keras.fit(quantizers, start, settings, progress, checkpoint)
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
