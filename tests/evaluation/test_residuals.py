from __future__ import annotations

import itertools
import math
import statistics
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.evaluation.residuals import (
    NO_GAP,
    energy_classes,
    figures,
    gap_bc,
    gap_classes,
    histogram,
    mev,
    profile,
)

STEPS = np.array([0, 0.1, 0.24, 3], np.float32).tolist()
ENERGY = st.floats(-1e4, 1e4, allow_nan=False, width=32)


def naive_quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


@given(st.lists(st.tuples(ENERGY, ENERGY, st.booleans()), max_size=60))
def test_figures_equal_a_naive_implementation(rows):
    true, reco, mask = (
        (np.array(column) for column in zip(*rows, strict=True)) if rows else ([],) * 3
    )
    found = figures(
        np.asarray(true, np.float64), np.asarray(reco, np.float64), np.asarray(mask, np.bool_)
    )
    kept = [(t, r) for t, r, m in rows if m]
    if not kept:
        assert found == {"count": 0}
        return
    residual = [r - t for t, r in kept]
    expected = {
        "count": len(kept),
        "rmse_mev": math.sqrt(math.fsum(x * x for x in residual) / len(residual)),
        "bias_mev": statistics.fmean(residual),
        "median_mev": statistics.median(residual),
        "width68_mev": (naive_quantile(residual, 0.84) - naive_quantile(residual, 0.16)) / 2,
        "width98_mev": (naive_quantile(residual, 0.99) - naive_quantile(residual, 0.01)) / 2,
        "mean_mev": statistics.fmean(r for _, r in kept),
    }
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-7)


def test_widths_of_a_normal_distribution():
    rng = np.random.default_rng(0)
    reco = rng.normal(10, 50, 400_000)
    found = figures(np.zeros_like(reco), reco, np.ones(reco.shape, np.bool_))
    assert found["width68_mev"] == pytest.approx(0.9945 * 50, rel=0.01)
    assert found["width98_mev"] == pytest.approx(2.3263 * 50, rel=0.01)
    assert found["bias_mev"] == pytest.approx(10, abs=0.5)
    assert found["rmse_mev"] == pytest.approx(math.hypot(10, 50), rel=0.01)


def test_class_edges_belong_to_the_class_above():
    below, at = np.nextafter(np.float32(0.24), np.float32(0)), np.float32(0.24)
    true = np.array([0, 1e-30, below, at, 0.9999, 1, 5], np.float32)
    masks = {group.name: group.mask.tolist() for group in energy_classes(true, 240.0, 1000.0)}
    assert masks == {
        "all": [True] * 7,
        "zero": [True] + [False] * 6,
        "low": [False, True, True, False, False, False, False],
        "high": [False, False, False, True, True, True, True],
        "above_1gev": [False, False, False, False, False, True, True],
    }


def test_the_name_of_the_last_class_follows_its_threshold():
    assert energy_classes(np.zeros(1, np.float32), 240.0, 2500.0)[-1].name == "above_2p5gev"


@given(hnp.arrays(np.float32, st.integers(0, 80), elements=st.sampled_from(STEPS)))
def test_gap_equals_a_loop(true):
    expected, last = [], None
    for bc, energy in enumerate(true):
        expected.append(NO_GAP if last is None else bc - last)
        if energy >= np.float32(0.24):
            last = bc
    assert gap_bc(true, 240.0).tolist() == expected


@given(
    st.lists(st.tuples(st.integers(-1, 60), st.booleans()), min_size=1, max_size=80),
    st.lists(st.integers(1, 50), min_size=1, max_size=6, unique=True).map(sorted),
)
def test_gap_classes_split_the_counted_bcs_of_known_gap(rows, edges):
    gap, counted = (np.array(column) for column in zip(*rows, strict=True))
    classes = gap_classes(gap.astype(np.int64), counted, edges)
    times = sum(group.mask.astype(int) for group in classes)
    assert times.tolist() == [int(c and g != NO_GAP) for g, c in rows]


def test_gap_class_edges():
    gap = np.array([NO_GAP, 1, 15, 16, 18, 19, 22, 23, 30, 31, 900])
    classes = gap_classes(gap, np.ones(gap.shape, np.bool_), [15, 18, 22, 30])
    assert {group.name: gap[group.mask].tolist() for group in classes} == {
        "gap_0_15": [1, 15],
        "gap_16_18": [16, 18],
        "gap_19_22": [19, 22],
        "gap_23_30": [23, 30],
        "gap_above_30": [31, 900],
    }


@given(
    st.lists(st.tuples(st.integers(-3, 12), ENERGY), max_size=60),
    st.integers(0, 4),
)
def test_profile_equals_a_loop_over_bins(rows, min_count):
    at = np.array([x for x, _ in rows], np.float64)
    residual = np.array([r for _, r in rows], np.float64)
    edges = np.array([0.0, 2.0, 4.0, 10.0])
    found = profile(at, residual, edges, min_count)
    rows_expected = []
    for low, high in itertools.pairwise(edges):
        inside = [r for x, r in rows if low <= x < high]
        if len(inside) >= max(min_count, 1):
            rows_expected.append([low, high, len(inside), naive_quantile(inside, 0.16)])
    assert found.centre.size == len(rows_expected)
    stacked = np.stack([found.low, found.high, found.count, found.q16], axis=1)
    np.testing.assert_allclose(stacked.ravel(), np.ravel(rows_expected), rtol=1e-9, atol=1e-7)


def test_histogram_counts_what_is_out_of_range_in_the_denominator():
    edges, fraction = histogram(np.array([0.0, 0.0, 40.0, 1e6]), 100.0, 20.0)
    centres = (edges[:-1] + edges[1:]) / 2
    assert dict(zip(centres[fraction > 0], fraction[fraction > 0], strict=True)) == {
        0: 0.5,
        40: 0.25,
    }
    assert histogram(np.empty(0), 100.0, 20.0)[1].sum() == 0


def test_a_million_bcs_take_a_moment():
    rng = np.random.default_rng(1)
    true = np.where(rng.random(1_000_000) < 0.03, rng.uniform(0, 5, 1_000_000), 0)
    true = true.astype(np.float32)
    start = time.process_time()
    truth, reco = mev(true), mev(true + np.float32(0.05))
    gap = gap_bc(true, 240.0)
    groups = energy_classes(true, 240.0, 1000.0)
    groups += gap_classes(gap, groups[3].mask, [15, 18, 22, 30])
    for group in groups:
        assert figures(truth, reco, group.mask)["count"] > 0
    profile(gap, reco - truth, np.arange(0.0, 60.0))
    assert time.process_time() - start < 5
