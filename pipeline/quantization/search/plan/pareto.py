"""The Pareto front: networks that no other one beats in both energy and RMSE."""

from __future__ import annotations

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


def nondominated_order(cost: ArrayLike, error: ArrayLike) -> list[int]:
    """Return indices front after front, beginning with the points that no other one beats.

    Within a front, the ends come first, then the points with most room around them
    (NSGA-II's crowding distance, Deb et al., IEEE Trans. Evol. Comput. 6 (2002) 182), then
    the earlier of equals.

    Parameters
    ----------
    cost, error
        ``(n,)`` each, finite, less is better; any unit.
    """
    costs, errors = np.asarray(cost, np.float64), np.asarray(error, np.float64)
    left = np.arange(len(costs))
    order: list[int] = []
    while left.size:
        flags = on_front(costs[left], errors[left])
        front = left[flags]
        room = _crowding(costs[front], errors[front])
        order += [int(front[place]) for place in np.lexsort((front, -room))]
        left = left[~flags]
    return order


def _crowding(costs: NDArray[np.float64], errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance between the neighbours of each point of a front; infinite at the ends."""
    by_cost = np.lexsort((errors, costs))
    room = np.full(len(costs), np.inf)
    scale = [max(np.ptp(values), np.finfo(float).tiny) for values in (costs, errors)]
    for before, middle, after in zip(by_cost, by_cost[1:], by_cost[2:], strict=False):
        room[middle] = (costs[after] - costs[before]) / scale[0] + (
            errors[before] - errors[after]
        ) / scale[1]
    return room
