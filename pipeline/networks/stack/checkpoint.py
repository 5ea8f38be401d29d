"""Where the training of a stack stands after an epoch, of every lane; kept weights-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.base.architecture import Shape
from pipeline.base.weights import load_weights, save_weights
from pipeline.networks.stack.stack import Weights, lanes

_PARTS = ("weights", "first_moment", "second_moment", "frozen", "best")
_WAITED = "waited/epochs"


@dataclass(frozen=True)
class StackCheckpoint:
    """What the next epoch of a training depends on.

    Attributes
    ----------
    weights, first_moment, second_moment, frozen, best
        Of each lane, by ``layer/tensor``: weights, Adam's moments, 1 where a weight is frozen,
        best weights so far.
    waited
        Epochs since the best one, by lane.
    """

    weights: list[Weights]
    first_moment: list[Weights]
    second_moment: list[Weights]
    frozen: list[Weights]
    best: list[Weights]
    waited: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write ``<part>/<layer>/<tensor>``, lanes first, and ``waited/epochs``."""
        tensors = {_WAITED: self.waited.astype(np.float32)}
        for part in _PARTS:
            by_lane: list[Weights] = getattr(self, part)
            for name in by_lane[0]:
                tensors[f"{part}/{name}"] = np.stack([weights[name] for weights in by_lane])
        save_weights(path, tensors)

    @classmethod
    def load(cls, path: Path, shapes: Mapping[str, Shape]) -> StackCheckpoint:
        """Read a checkpoint of networks whose weights have these shapes.

        Raises
        ------
        ArtifactError
            If a tensor is missing, superfluous, of another shape or type, or not finite.
        """
        wanted = {
            f"{p}/{name}": (lanes(), *shape) for p in _PARTS for name, shape in shapes.items()
        }
        tensors = load_weights(path, wanted | {_WAITED: (lanes(),)})
        weights, first, second, frozen, best = (
            [{name: tensors[f"{part}/{name}"][lane] for name in shapes} for lane in range(lanes())]
            for part in _PARTS
        )
        return cls(weights, first, second, frozen, best, tensors[_WAITED].astype(np.int64))
