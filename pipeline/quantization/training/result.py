"""What the training of a quantized network leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.base.arrays import F32
from pipeline.networks.checkpoint import Checkpoint
from pipeline.networks.fitting import FitResult
from pipeline.networks.stack.checkpoint import StackCheckpoint

Weights = Mapping[str, F32]
Starts = Weights | Sequence[Weights] | None
"""Where a training begins: one network, one for each start, or new random weights."""
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
    start_losses, start_weights
        Lowest validation loss of each start, of which the best is `validation_loss`, and the
        weights that had it.
    """

    weights: dict[str, F32]
    validation_loss: float
    fit: FitResult
    dead: bool
    checkpoint: AnyCheckpoint | None = None
    restarts: int = 0
    start_losses: tuple[float, ...] = ()
    start_weights: tuple[Weights, ...] = ()


def first_of(starts: Starts) -> Weights | None:
    """Return the start of a training that has only one."""
    return starts if starts is None or isinstance(starts, Mapping) else starts[0]


def for_each(change: Callable[[Weights], Weights], starts: Starts) -> Starts:
    """Change every start."""
    if starts is None or isinstance(starts, Mapping):
        return None if starts is None else change(starts)
    return [change(start) for start in starts]
