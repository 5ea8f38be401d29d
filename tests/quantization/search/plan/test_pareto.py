"""The Pareto front against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.quantization.search.plan.pareto import nondominated_order, on_front

POINT = st.tuples(st.integers(0, 6), st.integers(0, 6))


def test_by_hand():
    energy = [50, 40, 60, 40, 30, 55]
    rmse = [50.0, 51.0, 49.9, 52.0, 60.0, 50.0]
    assert on_front(energy, rmse).tolist() == [True, True, True, False, True, False]


def test_equal_points_are_on_it_together():
    assert on_front([1, 1, 2], [5, 5, 5]).tolist() == [True, True, False]


def test_nothing_and_one_point():
    assert on_front([], []).tolist() == []
    assert on_front([3.0], [4.0]).tolist() == [True]


@given(st.lists(POINT, max_size=12))
def test_a_point_is_on_it_unless_another_one_beats_it(points):
    def beaten(a, b):
        return b[0] <= a[0] and b[1] <= a[1] and b != a

    expected = [not any(beaten(a, b) for b in points) for a in points]
    costs, errors = [p[0] for p in points], [p[1] for p in points]
    assert on_front(costs, errors).tolist() == expected


@pytest.mark.parametrize(
    ("costs", "errors"), [([1, 2], [1]), ([1.0], [np.nan]), ([np.inf], [1.0]), ([[1]], [[1]])]
)
def test_what_is_no_list_of_points_is_refused(costs, errors):
    with pytest.raises(ValueError, match="expected"):
        on_front(costs, errors)


def test_the_order_goes_front_by_front_and_the_ends_come_first():
    cost = [1, 2, 3, 4, 2, 3, 5]
    error = [9, 5, 4, 1, 9, 5, 9]
    order = nondominated_order(cost, error)
    assert set(order[:4]) == {0, 1, 2, 3}
    assert set(order[:2]) == {0, 3}
    assert order[2:4] == [1, 2]  # more room around the second
    assert order[4:] == [4, 5, 6]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_the_order_holds_everything_once_and_nobody_behind_whom_he_beats(points):
    cost, error = [p[0] for p in points], [p[1] for p in points]
    order = nondominated_order(cost, error)
    assert sorted(order) == list(range(len(points)))
    place = {index: rank for rank, index in enumerate(order)}
    for a, one in enumerate(points):
        for b, other in enumerate(points):
            if one != other and one[0] <= other[0] and one[1] <= other[1]:
                assert place[a] < place[b]
