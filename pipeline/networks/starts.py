"""Several starts of one network, trained as the lanes of a stack: new weights, dead lanes, plateau.

Two trainings of one float network end up to 3 MeV apart (of 48), and half of all starts are dead
from the first epoch on: the output's ReLU is below 0 everywhere. Eight at once take about twice
the time that Keras takes for one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32, F64
from pipeline.networks.dead import can_learn, is_constant, loss_of_constant, may_be_constant
from pipeline.networks.fitting import WindowData, WindowFitter
from pipeline.networks.float_network import build_float_network, get_weights, set_weights
from pipeline.networks.runtime import seed_everything
from pipeline.networks.stack.fitting import LaneFit, Plan, Progress, lane_seeds, windows_of
from pipeline.networks.stack.formats import NetworkFormats
from pipeline.networks.stack.stack import Stack, Weights, Windows, lanes
from pipeline.params.network import TrainParams


def new_weights(architecture: Architecture, seeds: Sequence[int]) -> list[dict[str, F32]]:
    """Return Keras' own random weights for each seed."""
    weights = []
    for seed in seeds:
        seed_everything(seed)
        weights.append(get_weights(build_float_network(architecture)))
    return weights


class DeadLanes:
    """Finds lanes that cannot learn any more.

    Parameters
    ----------
    validation
        As the stack reads them.
    of_constant
        The least loss that a constant output has, see `loss_of_constant`.
    learns
        Whether weights have a gradient that could change the output, see `can_learn`.
    """

    def __init__(
        self, validation: Windows, of_constant: float, learns: Callable[[Weights], bool]
    ) -> None:
        self._validation, self._of_constant, self._learns = validation, of_constant, learns

    def constant(self, stack: Stack, losses: F64) -> NDArray[np.bool_]:
        """Return which lanes answer every validation window alike; their losses are given."""
        suspects = [may_be_constant(float(loss), self._of_constant) for loss in losses]
        if not any(suspects):
            return np.full(lanes(), False)
        outputs = stack.predict(self._validation)
        return np.array(
            [suspect and is_constant(outputs[:, lane]) for lane, suspect in enumerate(suspects)]
        )

    def dead(self, stack: Stack, losses: F64) -> NDArray[np.bool_]:
        """Return which lanes are constant and have no gradient that could change it."""
        constant = self.constant(stack, losses)
        for lane in np.flatnonzero(constant):
            constant[lane] = not self._learns(stack.weights[lane])
        return constant


class PlateauRecipe:
    """Keras' ``ReduceLROnPlateau`` and ``EarlyStopping`` for each lane, and a comparison.

    A lane ends that is dead after the first epoch, that has waited too long for a lower loss, or
    whose lowest loss is above that of a lane that has ended: it would have to catch up with one
    that has been through the whole fall of the rate.

    Parameters
    ----------
    params
        The ``train`` section.
    dead
        Which lanes are dead, asked after the first epoch with its losses.

    Attributes
    ----------
    is_dead
        The answer, bool (lanes,).
    """

    def __init__(self, params: TrainParams, dead: Callable[[F64], NDArray[np.bool_]]) -> None:
        self._params, self._ask = params, dead
        self._rates: F64 = np.full(lanes(), params.learning_rate)
        self._best: F64 = np.full(lanes(), np.inf)
        self._lowest, self._of_ended = self._best.copy(), np.inf
        self._waited, self._flat = (np.zeros(lanes(), np.int64) for _ in range(2))
        self._running: NDArray[np.bool_] = np.arange(lanes()) < params.seeds
        self.is_dead: NDArray[np.bool_] = np.full(lanes(), False)

    def rates(self, epoch: int) -> F64:
        """Return the rate of each lane."""
        return self._rates.copy()

    def still_on(
        self, epoch: int, validation_loss: F64, improved: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Return which lanes train on after an epoch with these losses."""
        params = self._params
        self._lowest = np.where(improved, validation_loss, self._lowest)
        better = validation_loss < self._best - params.min_delta
        self._best = np.where(better, validation_loss, self._best)
        self._waited = np.where(better, 0, self._waited + 1)
        self._flat = np.where(better, 0, self._flat + 1)
        lowered = ~better & (self._flat >= params.reduce_lr_patience)
        slower = np.maximum(self._rates * params.reduce_lr_factor, params.min_learning_rate)
        self._rates = np.where(lowered, np.minimum(slower, self._rates), self._rates)
        self._flat = np.where(lowered, 0, self._flat)
        if epoch == 0:
            self.is_dead = self._ask(validation_loss) & self._running
            self._running &= ~self.is_dead
            return self._running
        ended = self._running & ~better & (self._waited >= params.early_stopping_patience)
        if ended.any():
            self._of_ended = min(self._of_ended, float(self._lowest[ended].min()))
        self._running &= ~ended & (self._lowest <= self._of_ended)
        return self._running


def train_starts(
    params: TrainParams,
    seed: int,
    fitter: WindowFitter,
    train: WindowData,
    validation: WindowData,
) -> tuple[LaneFit, NDArray[np.bool_]]:
    """Train ``train.seeds`` starts of the float network, each to its plateau.

    Parameters
    ----------
    params
        The ``train`` section.
    seed
        Of the first start; those of the others follow from it.
    fitter
        Of such a network; it says of weights whether they have a gradient.
    train, validation
        The data.

    Returns
    -------
    fit
        The starts are its first ``train.seeds`` lanes.
    dead
        Which of them were dead after the first epoch, or constant in the end, bool (seeds,).

    Raises
    ------
    FloatingPointError
        If the loss of no start is finite.
    TrainingError
        If all validation targets are equal.
    """
    seeds = lane_seeds(seed)
    architecture = Architecture(params.cell, params.units, train.window_length)
    stack = Stack([NetworkFormats()] * lanes(), new_weights(architecture, seeds))
    fit = LaneFit(stack, windows_of(train), windows_of(validation))

    def learns(weights: Weights) -> bool:
        set_weights(fitter.model, weights)
        return can_learn(fitter, train)

    find = DeadLanes(fit.validation, loss_of_constant(validation), learns)
    recipe = PlateauRecipe(params, lambda losses: find.dead(stack, losses))
    what = f"train (seed {seed})"
    fit.run(Plan(0, params.epochs, params.batch_size, seeds), recipe, Progress(what))
    if not np.isfinite(fit.best_loss[: params.seeds]).any():
        raise FloatingPointError("the loss is not finite in any epoch of any start")
    constant = find.constant(stack.with_weights(fit.best_weights), fit.best_loss)
    dead: NDArray[np.bool_] = (recipe.is_dead | constant)[: params.seeds]
    return fit, dead
