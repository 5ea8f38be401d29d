"""One training that gives a front: bits learned at a price of its own in each lane.

In the first part of a training weights and bits are learned. The price of a bit operation grows
by a constant factor from epoch to epoch, then stays; the rate stays, then falls. In the second
part bits stay as they are: weights start from the middle of their steps, at a rate so low that
few of them change their values. (A coarse weight that lies near an edge of its step otherwise
changes its value in every epoch; the loss then differs by MeV from one to the next.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.base.arrays import F64
from pipeline.networks.stack.fitting import epoch_seed, lane_seeds
from pipeline.networks.stack.learned import LearnedStack
from pipeline.networks.stack.learned_network import LearnedNetwork, RoundedNetwork, ValueBits
from pipeline.networks.stack.stack import Windows, lanes


@dataclass(frozen=True)
class Recipe:
    """Epochs, rates and prices of a training.

    Attributes
    ----------
    epochs, fixed_epochs
        While bits are learned, and after that.
    batch_size
        Windows in a step.
    learning_rate, fixed_rate
        At the start of the first part, and of the second, where it falls to 0.
    growing
        Part of the first `epochs` in which the price grows and the rate stays.
    first_price
        Part of its last value that the price has in the first epoch, nearly.
    last_rate
        Part of `learning_rate` to which the rate falls in the first part.
    candidates
        Part of the first `epochs`, the last ones, of which the best goes on.
    unit_bits
        Whether bits of hidden units are learned; if not, they stay those of the start.
    """

    epochs: int = 60
    fixed_epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 5e-4
    fixed_rate: float = 5e-5
    growing: float = 0.4
    first_price: float = 0.01
    last_rate: float = 0.1
    candidates: float = 0.25
    unit_bits: bool = True

    def price(self, epoch: int) -> float:
        """Return the price of an epoch of the first part, of its last value."""
        until = self.growing * self.epochs
        return 1.0 if epoch >= until else float(self.first_price ** (1 - epoch / until))

    def rate(self, epoch: int) -> float:
        """Return the rate of an epoch, of either part."""
        if epoch >= self.epochs:
            done = (epoch - self.epochs) / self.fixed_epochs
            return self.fixed_rate * 0.5 * (1 + math.cos(math.pi * done))
        done = max(0.0, epoch / self.epochs - self.growing) / (1 - self.growing)
        falling = 0.5 * (1 + math.cos(math.pi * done))
        return self.learning_rate * (self.last_rate + (1 - self.last_rate) * falling)

    def is_candidate(self, epoch: int) -> bool:
        """Whether what an epoch leaves may be the result; of the second part all may."""
        return epoch >= self.epochs - max(1, round(self.candidates * self.epochs))


@dataclass(frozen=True)
class Learned:
    """What one lane has learned.

    Attributes
    ----------
    network, rounded
        The best epoch: parameters, and what the network computes with.
    price
        Of a bit operation, in units of `reference`.
    validation_loss
        Mean squared error, scaled.
    """

    network: LearnedNetwork
    rounded: RoundedNetwork
    price: float
    validation_loss: float


@dataclass(frozen=True)
class Data:
    """Windows, and the mean squared error that counts as 1: that of the float network, scaled."""

    train: Windows
    validation: Windows
    reference: float


def learn_bits(
    starts: Sequence[LearnedNetwork],
    prices: Sequence[float],
    seed: int,
    data: Data,
    recipe: Recipe | None = None,
    values: ValueBits | None = None,
    after_epoch: Callable[[int, F64, F64], object] = lambda *_: None,
) -> list[Learned]:
    """Train a network in each lane; the best epoch of each is kept.

    The best is the one with the least squared error on validation, over `reference`, plus price
    times bit operations. A lane does not depend on its neighbours.

    Parameters
    ----------
    starts, prices
        By lane: where it starts, and the price of a bit operation at the end, in units of
        `reference`.
    seed
        Of the orders of windows; lanes have different ones.
    data
        What is trained on.
    recipe, values
        None: the defaults.
    after_epoch
        Called with the number of the epoch, counted from 0, the mean squared errors on
        validation and the bit operations, by lane.

    Raises
    ------
    StackError
        If there are not as many starts as lanes, or they are too wide.
    """
    recipe = recipe or Recipe()

    def stack_of(networks: Sequence[LearnedNetwork]) -> LearnedStack:
        return LearnedStack(networks, data.train.length, data.reference, values)

    stack = stack_of(starts)
    final = np.array(prices, np.float64)
    best: list[LearnedNetwork] = list(starts)
    least: F64 = np.full(lanes(), np.inf)
    for epoch in range(recipe.epochs + recipe.fixed_epochs):
        fixed = epoch >= recipe.epochs
        if epoch == recipe.epochs:
            stack = stack_of(_in_the_middle(best, stack_of(best).rounded))
        rates = np.full(lanes(), recipe.rate(epoch))
        bit_rates = np.zeros(lanes()) if fixed else rates
        now = final * (0.0 if fixed else recipe.price(epoch))
        seeds = [epoch_seed(lane_seed, epoch) for lane_seed in lane_seeds(seed)]
        stack.train_epoch(
            data.train,
            recipe.batch_size,
            list(rates),
            list(bit_rates),
            list(now),
            seeds,
            list(bit_rates * recipe.unit_bits),
        )
        losses, operations = stack.mean_squared_errors(data.validation), stack.operations
        after_epoch(epoch, losses, operations.astype(np.float64))
        if not recipe.is_candidate(epoch):
            continue
        total = losses / data.reference + final * operations
        networks = stack.networks
        for lane in np.flatnonzero(total < least):
            best[lane], least[lane] = networks[lane], total[lane]
    found = stack_of(best)
    parts = zip(
        best, found.rounded, prices, found.mean_squared_errors(data.validation), strict=True
    )
    return [Learned(n, rounded, price, float(loss)) for n, rounded, price, loss in parts]


def _in_the_middle(
    networks: Sequence[LearnedNetwork], rounded: Sequence[RoundedNetwork]
) -> list[LearnedNetwork]:
    """Return the same networks with every weight at its rounded value."""
    return [
        LearnedNetwork(now.weights, network.fraction_bits, network.unit_bits)
        for network, now in zip(networks, rounded, strict=True)
    ]
