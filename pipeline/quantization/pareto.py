"""Which networks nobody beats in both energy and RMSE, and how they are written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def on_front(cost: ArrayLike, error: ArrayLike) -> NDArray[np.bool_]:
    """Return which points no other point beats.

    A point is beaten by one that is no worse in both and better in one; equal
    points are on the front together.

    Parameters
    ----------
    cost, error
        ``(n,)`` each, finite, less is better; any unit.

    Returns
    -------
    ndarray of bool, ``(n,)``
    """
    costs, errors = np.asarray(cost, np.float64), np.asarray(error, np.float64)
    if costs.shape != errors.shape or costs.ndim != 1:
        raise ValueError(f"expected two lists of one length, found {costs.shape}, {errors.shape}")
    if not (np.isfinite(costs).all() and np.isfinite(errors).all()):
        raise ValueError("expected finite costs and errors")
    order = np.lexsort((errors, costs))
    front = np.zeros(len(costs), bool)
    best = np.inf
    level = np.inf  # cost of the point that set `best`
    for index in order:
        better = errors[index] < best
        equal = errors[index] == best and costs[index] == level
        front[index] = better or equal
        if better:
            best, level = errors[index], costs[index]
    return front


def front_table(rows: Sequence[Mapping[str, str | float]]) -> str:
    """Return rows as a Markdown table, columns in the order of the first row."""
    if not rows:
        return ""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in rows:
        cells = [_cell(row[name]) for name in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: str | float) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
