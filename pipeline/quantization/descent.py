"""Which networks are one step away from others: what a descent tries next.

Random trials show where good networks are, but a space holds more networks than a search has
trials: the cheapest that is good enough is rarely among those drawn. It is looked for around
the best that was. No keras-tuner here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.quantization.quantizers import parse_quantizer

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Tried:
    """A network that was trained: its decisions, its score and its cost."""

    values: Values
    score: float
    cost: float


def from_narrow_to_wide(options: Sequence[Any]) -> list[Any]:
    """Return the options of a decision by bits (quantisers) or size (factors of a width)."""

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
    satisfied: bool,
) -> list[dict[str, Any]]:
    """Return the networks to try next, or nothing if none is left.

    They differ from one that was tried by a step in one decision: a step narrower and cheaper
    than the best so far, or, as long as nothing is good enough, a step wider. The best network
    is left by all its steps at once; if it has none that are open, the next best is.

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
    satisfied
        Whether the best network is good enough.
    """
    shut = [dict(values) for values in closed]
    ranked = sorted(tried, key=lambda network: -network.score)
    for network in ranked:
        steps = _steps(network.values, decisions, -1 if satisfied else 1)
        fresh = [step for step in steps if step not in shut]
        if satisfied:
            fresh = [step for step in fresh if price(step) < ranked[0].cost]
        if fresh:
            # The smallest change first: where trials run out, it is the one most likely good.
            return sorted(fresh, key=lambda step: abs(price(step) - network.cost))
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
