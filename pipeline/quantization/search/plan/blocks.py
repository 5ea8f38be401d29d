"""Blocks: searching part of the network at a time, as AutoQKerasScheduler does.

``search.blocks`` are regular expressions on layer names. Each block is searched
by itself, with what is decided already fixed and what comes later float, and
hands its best network on. A block gets ``max_trials`` times its share of the
reference cost, at least ``block_min_trials``. No search asks for more trials than its
space holds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.space import (
    LEARNING_RATE_CHOICES,
    Choice,
    Layer,
    SearchSpaceError,
    filter_names,
)

EVERY_LAYER = "every layer"
_HYPERBAND_FACTOR = 3  # keras-tuner's default


@dataclass(frozen=True)
class Block:
    """Layers that are searched together.

    Attributes
    ----------
    pattern
        The regular expression, or `EVERY_LAYER`.
    layers
        Names of its layers.
    cost, reference
        Of these layers and of all in the reference network, pJ or bits.
    max_trials
        Trials of this block, at most its combinations; Hyperband's follow from the epochs
        instead.
    wanted
        Trials that the parameters ask for, were there enough combinations.
    choices, filters
        Decisions on quantizers and on widths.
    combinations
        Size of the space.
    """

    pattern: str
    layers: tuple[str, ...]
    cost: float
    reference: float
    max_trials: int
    wanted: int
    choices: tuple[Choice, ...]
    filters: tuple[str, ...]
    combinations: int


def group_layers(params: SearchParams, layers: Sequence[Layer]) -> dict[str, list[Layer]]:
    """Return the searched layers by pattern, in the order of the list.

    Raises
    ------
    SearchSpaceError
        If a pattern is no regular expression or matches no layer, or a layer is
        matched by none or by two.
    """
    searched = [
        layer
        for layer in layers
        if params.layer_indexes is None or layer.index in params.layer_indexes
    ]
    if params.blocks is None:
        return {EVERY_LAYER: searched}
    groups: dict[str, list[Layer]] = {}
    names = ", ".join(layer.name for layer in searched)
    for pattern in params.blocks:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise SearchSpaceError(
                f"search.blocks: {pattern!r}: not a regular expression: {error}"
            ) from None
        matched = [layer for layer in searched if expression.match(layer.name)]
        if not matched:
            raise SearchSpaceError(
                f"search.blocks: {pattern!r}: matches no layer; layers are {names}"
            )
        groups[pattern] = matched
    for layer in searched:
        owners = [pattern for pattern, matched in groups.items() if layer in matched]
        if len(owners) != 1:
            matching = " and ".join(repr(owner) for owner in owners) or "none"
            raise SearchSpaceError(
                f"search.blocks: layer {layer.name}: expected one pattern that matches it, "
                f"found {matching}"
            )
    return groups


def plan_blocks(
    params: SearchParams,
    layers: Sequence[Layer],
    choices: Sequence[Choice],
    costs: Mapping[str, float],
) -> list[Block]:
    """Return the blocks in the order in which they are searched.

    Parameters
    ----------
    params
        The ``search`` section.
    layers, choices
        See `pipeline.quantization.search.plan.space`.
    costs
        Cost of each layer in the reference network, by name, pJ or bits.
    """
    total = sum(costs.values())
    blocks = []
    for pattern, group in group_layers(params, layers).items():
        names = tuple(layer.name for layer in group)
        decisions = tuple(filter(None, (_within(choice, names) for choice in choices)))
        filters = tuple(filter_names(params, group))
        cost = sum(costs[name] for name in names)
        combinations = _combinations(params, decisions, filters)
        wanted = _trials(params, cost / total)
        blocks.append(
            Block(
                pattern=pattern,
                layers=names,
                cost=cost,
                reference=total,
                max_trials=min(wanted, combinations),
                wanted=wanted,
                choices=decisions,
                filters=filters,
                combinations=combinations,
            )
        )
    if params.schedule_block == "cost":
        blocks.sort(key=lambda block: -block.cost)
    return blocks


def _trials(params: SearchParams, share: float) -> int:
    if params.blocks is None:
        return params.max_trials
    return max(params.block_min_trials, int(params.max_trials * share))


def hyperband_rounds(epochs: int, combinations: int | None = None) -> dict[int, list[int]]:
    """Return the trials of every round of every bracket of Hyperband, the largest bracket first.

    Sizes are keras-tuner's; a space with fewer `combinations` than first rounds ask for fills
    the larger brackets first.
    """
    brackets = 1
    while epochs / _HYPERBAND_FACTOR**brackets >= 1:
        brackets += 1
    last = math.ceil(1 + math.log(epochs, _HYPERBAND_FACTOR))  # trials in a bracket's last round
    left = math.inf if combinations is None else combinations
    rounds: dict[int, list[int]] = {}
    for bracket in reversed(range(brackets)):
        sizes = [
            math.ceil(last / (bracket + 1) * _HYPERBAND_FACTOR ** (bracket - number))
            for number in range(bracket + 1)
        ]
        most = int(min(sizes[0], left))
        left -= most
        rounds[bracket] = [min(size, most) for size in sizes]
    return rounds


def hyperband_trials(epochs: int, combinations: int | None = None) -> int:
    """Return the trials of all rounds of all brackets; see `hyperband_rounds`."""
    return sum(map(sum, hyperband_rounds(epochs, combinations).values()))


def _within(choice: Choice, layers: Sequence[str]) -> Choice | None:
    """Return the part of a decision that is about these layers."""
    tensors = tuple(tensor for tensor in choice.tensors if tensor.split("/")[0] in layers)
    return replace(choice, tensors=tensors) if tensors else None


def _combinations(params: SearchParams, choices: Sequence[Choice], filters: Sequence[str]) -> int:
    quantizers = math.prod(len(choice.quantizers) for choice in choices)
    widths: int = len(params.filter_range) ** len(filters)
    rates = LEARNING_RATE_CHOICES if params.learning_rate_optimizer else 1
    return quantizers * widths * rates
