"""A training that stops early and may go on: what its next epoch depends on.

Hyperband and successive halving train many networks for a few epochs and the better ones
on. Where a network goes on from its weights alone, with new moments and a new schedule, it
forgets: after 20 + 60 epochs it was up to 1 MeV worse than after 80. Here it goes on as if it
had never stopped, which gives the very weights of one training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.architecture import Shape
from pipeline.base.arrays import F32
from pipeline.base.weights import load_weights, save_weights
from pipeline.networks.float_network import get_weights, named_variables, set_weights
from pipeline.networks.training import KeepBest

_PARTS = ("weights", "first_moment", "second_moment")
_WAITED = "waited/epochs"


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stands after an epoch.

    Attributes
    ----------
    weights, first_moment, second_moment
        Weights and Adam's moments, float32, each by ``layer/tensor``.
    waited
        Epochs since the best one.
    """

    weights: dict[str, F32]
    first_moment: dict[str, F32]
    second_moment: dict[str, F32]
    waited: int = 0

    @classmethod
    def of(cls, model: tf.keras.Model, optimizer: Any, waited: int = 0) -> Checkpoint:
        """Copy what a model and the Adam that trains it have now."""
        names = list(named_variables(model))
        first = [moment.numpy() for moment in optimizer._momentums]
        second = [moment.numpy() for moment in optimizer._velocities]
        return cls(
            get_weights(model),
            dict(zip(names, first, strict=True)),
            dict(zip(names, second, strict=True)),
            waited,
        )

    def restore(self, model: tf.keras.Model, optimizer: Any, steps: int) -> None:
        """Put a model and its Adam where they stood after so many steps."""
        set_weights(model, self.weights)
        for name, first, second in zip(
            named_variables(model), optimizer._momentums, optimizer._velocities, strict=True
        ):
            first.assign(self.first_moment[name])
            second.assign(self.second_moment[name])
        optimizer.iterations.assign(steps)

    def save(self, path: Path) -> None:
        """Write it, weights only: ``<part>/<layer>/<tensor>``, and ``waited/epochs``."""
        parts = {part: getattr(self, part) for part in _PARTS}
        tensors = {f"{p}/{name}": v for p, tensors in parts.items() for name, v in tensors.items()}
        save_weights(path, tensors | {_WAITED: np.array([self.waited], np.float32)})

    @classmethod
    def load(cls, path: Path, shapes: Mapping[str, Shape]) -> Checkpoint:
        """Read that of a network whose weights have these shapes.

        Raises
        ------
        ArtifactError
            If a tensor is missing, superfluous, of another shape or type, or not finite.
        """
        wanted = {f"{part}/{name}": shape for part in _PARTS for name, shape in shapes.items()}
        tensors = load_weights(path, wanted | {_WAITED: (1,)})
        weights, first, second = (
            {name: tensors[f"{part}/{name}"] for name in shapes} for part in _PARTS
        )
        return cls(weights, first, second, int(tensors[_WAITED][0]))


class KeepCheckpoint(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Note where training stands at its end; before `KeepBest` puts other weights back."""

    checkpoint: Checkpoint

    def __init__(self, best: KeepBest) -> None:
        super().__init__()
        self._best = best

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Copy weights and moments."""
        self.checkpoint = Checkpoint.of(self.model, self.model.optimizer, self._best.waited)
