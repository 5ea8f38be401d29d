"""How a quantized network is trained: numbers, seeds, and the fall of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

_MAX_SEED = 2**31


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
    restarts
        New seeds that were drawn before, see `seed_after`.
    patience
        Epochs without a lower validation loss after which the training stops; None runs all.
    starts
        Trainings with other orders of windows, of which the best counts, where a stack of
        networks can train it (`pipeline.quantization.training.lanes`); otherwise there is one.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    units: int | None = None
    first_epoch: int = 0
    last_epoch: int | None = None
    restarts: int = 0
    patience: int | None = None
    starts: int = 1

    @property
    def reached(self) -> int:
        """Epochs run when this part of the training is over."""
        return self.epochs if self.last_epoch is None else self.last_epoch

    @property
    def drawn_seed(self) -> int:
        """What weights and batches are drawn with: `seed`, or after a restart a new one."""
        return seed_after(self.seed, self.restarts)


def seed_after(seed: int, restarts: int) -> int:
    """Return the seed of a training that was dead so often: from its own seed alone."""
    if restarts == 0:
        return seed
    return int(np.random.SeedSequence((seed, restarts)).generate_state(1)[0] % _MAX_SEED)


def rate_of(settings: QatSettings, epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 0: it falls to 0 along half a cosine.

    The weights of a coarse network keep hopping between grid points at a
    constant rate; they settle only as it vanishes.
    """
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))


def cosine_decay(settings: QatSettings) -> Any:
    """Return a callback that sets the rate of each epoch, see `rate_of`."""
    schedule: Callable[[int, float], float] = lambda epoch, _: rate_of(settings, epoch)  # noqa: E731
    return tf.keras.callbacks.LearningRateScheduler(schedule)
