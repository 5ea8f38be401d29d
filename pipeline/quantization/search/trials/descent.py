"""Which networks are one step away from others: what a descent tries next.

Random trials show where good networks are, but a space holds more networks than a search has
trials: the cheapest that is good enough is rarely among those drawn. It is looked for around
the best that was. No keras-tuner here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.quantizers.quantizer import parse_quantizer

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Tried:
    """A network that was trained: its decisions, score and cost, and whether it is good enough."""

    values: Values
    score: float
    cost: float
    good: bool


def from_narrow_to_wide(options: Sequence[Any]) -> list[Any]:
    """Return the options of a decision by bits (quantizers) or size (factors of a width)."""

    def width(option: Any) -> float:
        if isinstance(option, str):
            return parse_quantizer(option, "search.quantization_config").bits
        return float(option)

    return sorted(options, key=width)


def next_steps(
    tried: Sequence[Tried],
    decisions: Mapping[str, Sequence[Any]],
    closed: Iterable[Values],
    price: Callable[[Values], float],
) -> list[dict[str, Any]]:
    """Return the networks to try next, or nothing if none is left.

    They differ by one step in one decision from a network that was tried: narrower, if that
    one is good enough, wider, if it is not. The best network is left by all its steps at once; if
    it has none that are open, the next best is. Once there is a good network, only what is
    cheaper than the best one is worth a trial.

    Parameters
    ----------
    tried
        All networks so far.
    decisions
        Their options by name, from narrow to wide.
    closed
        Networks that are not to be tried.
    price
        Cost of a network.
    """
    not_open = [dict(values) for values in closed]
    ranked = sorted(tried, key=lambda network: -network.score)
    most = ranked[0].cost if ranked and ranked[0].good else math.inf
    for network in ranked:
        direction = -1 if network.good else 1
        open_ = [
            step for step in _steps(network.values, decisions, direction) if step not in not_open
        ]
        priced = [(price(step), step) for step in open_]
        # Options of the same width are no step, nor is one with fewer bits that costs more.
        steps = [(cost, step) for cost, step in priced if direction * (cost - network.cost) > 0]
        steps = [(cost, step) for cost, step in steps if cost < most]
        if steps:
            # The smallest change first: where trials run out, it is the likeliest to be good.
            steps.sort(key=lambda item: abs(item[0] - network.cost))
            return [step for _, step in steps]
    return []


def _steps(
    values: Values, decisions: Mapping[str, Sequence[Any]], direction: int
) -> list[dict[str, Any]]:
    steps = []
    for name, options in decisions.items():
        place = list(options).index(values[name]) + direction
        if 0 <= place < len(options):
            steps.append({**values, name: options[place]})
    return steps
