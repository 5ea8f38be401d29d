"""What the training of a quantized network leaves."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.arrays import F32
from pipeline.networks.checkpoint import Checkpoint
from pipeline.networks.fitting import FitResult
from pipeline.networks.stack.checkpoint import StackCheckpoint

AnyCheckpoint = Checkpoint | StackCheckpoint


@dataclass(frozen=True)
class QatResult:
    """A trained quantized network.

    Attributes
    ----------
    weights
        Of the best epoch of the best start, by ``layer/tensor``.
    validation_loss
        Theirs: mean squared error in scaled units.
    fit
        The loss curve of the best start.
    dead
        Whether the output is constant, after one epoch for good or at the end.
    checkpoint
        Where to go on from, if the training is not over.
    restarts
        New seeds that were drawn because the network was dead.
    start_losses
        Lowest validation loss of each start, of which the best is `validation_loss`.
    """

    weights: dict[str, F32]
    validation_loss: float
    fit: FitResult
    dead: bool
    checkpoint: AnyCheckpoint | None = None
    restarts: int = 0
    start_losses: tuple[float, ...] = ()
