"""The score, by hand; and what stock AutoQKeras would do with the same two trials."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from pipeline.quantization.search.plan.score import (
    forgiving_delta,
    forgiving_factor,
    quality,
    score,
)
from pipeline.quantizers import qkeras_compat  # noqa: F401  (before AutoQKeras is imported)

GOAL = {"delta_p": 8.0, "delta_n": 8.0, "rate": 2.0, "stress": 1.0}
TRUTH = np.linspace(0, 0.3, 32, dtype=np.float32)[:, None]
GOOD = TRUTH + np.float32(0.003)
BAD = TRUTH + np.float32(0.05)


def delta(reference: float, trial: float, **changed: float) -> float:
    return forgiving_delta(reference, trial, **{**GOAL, **changed})


def test_delta_by_hand():
    assert delta(100, 100) == 0
    assert delta(100, 50) == pytest.approx(0.08)
    assert delta(100, 12.5) == pytest.approx(0.24)
    assert delta(100, 200) == pytest.approx(-0.08)
    assert delta(100, 50, delta_p=4) == pytest.approx(0.04)
    assert delta(100, 50, delta_n=4) == pytest.approx(0.08)
    assert delta(100, 200, delta_p=4) == pytest.approx(-0.08)
    assert delta(100, 200, delta_n=2) == pytest.approx(-0.02)
    assert delta(100, 50, rate=4) == pytest.approx(0.04)
    assert delta(100, 50, stress=0.5) == 0
    assert delta(100, 100, stress=0.25) == pytest.approx(-0.16)


def test_score_by_hand():
    assert quality(50, 50) == 1
    assert quality(50, 100) == 0.5
    assert score(50, 50, 0) == 1
    # 60 MeV against 50, at an eighth of the cost: 5/6 * (1 + 3 * 8 %)
    assert score(50, 60, delta(80, 10)) == pytest.approx(5 / 6 * 1.24)
    assert score(50, 40, delta(80, 160)) == pytest.approx(1.25 * 0.92)


POSITIVE = st.floats(1e-3, 1e6)


@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE, st.sampled_from([1.0, 8.0, 500.0]))
def test_of_two_trials_of_equal_cost_the_lower_rmse_scores_higher(
    reference, rmse, cost, other, delta_n
):
    earned = delta(1000, cost, delta_n=delta_n)
    better, worse = sorted([rmse, other])
    if math.isclose(better, worse, rel_tol=1e-12):
        return
    assert score(reference, better, earned) > score(reference, worse, earned)


def test_a_very_dear_trial_is_ordered_by_quality_too():
    """AutoQKeras' factor is -1 here, and the worse network has the higher product."""
    earned = delta(100, 400, delta_n=100)
    assert earned == pytest.approx(-2)
    assert quality(50, 51) * (1 + earned) < quality(50, 80) * (1 + earned) < 0
    assert score(50, 51, earned) > score(50, 80, earned) > 0
    assert score(50, 50, earned) == pytest.approx(1 / 8)


def test_the_factor_is_that_of_autoqkeras_down_to_a_half_and_smooth_there():
    assert [forgiving_factor(d) for d in (0.3, 0, -0.25, -0.5)] == [1.3, 1, 0.75, 0.5]
    step = 1e-6
    below = (forgiving_factor(-0.5) - forgiving_factor(-0.5 - step)) / step
    assert below == pytest.approx(1, rel=1e-4)
    assert forgiving_factor(-1e300) > 0


@given(POSITIVE, POSITIVE, POSITIVE, st.sampled_from([8.0, 500.0]))
def test_of_two_trials_of_equal_rmse_the_cheaper_scores_higher(rmse, cost, other, delta_n):
    cheap, dear = sorted([cost, other])
    if math.isclose(cheap, dear, rel_tol=1e-9):
        return
    earned = [delta(100, cost, delta_n=delta_n) for cost in (cheap, dear)]
    assert score(50, rmse, earned[0]) > score(50, rmse, earned[1])


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan])
def test_rmse_and_cost_must_be_above_0(value):
    for arguments in [(50.0, value), (value, 50.0)]:
        with pytest.raises(ValueError, match="RMSE must be above 0"):
            score(*arguments, 0.0)
    if not math.isnan(value):
        for arguments in [(50.0, value), (value, 50.0)]:
            with pytest.raises(ValueError, match="costs must be above 0"):
                delta(*arguments)


@pytest.mark.parametrize("reference", [10.0, 800.0, 12345.0])
@pytest.mark.parametrize("trial", [10.0, 77.0, 800.0, 5000.0])
@pytest.mark.parametrize(("delta_p", "delta_n", "rate"), [(8, 8, 2), (5, 10, 3)])
def test_delta_is_that_of_qkeras(reference, trial, delta_p, delta_n, rate):
    from qkeras.autoqkeras.forgiving_metrics.forgiving_factor import ForgivingFactor

    stock = ForgivingFactor(delta_p, delta_n, rate)
    stock.reference_size, stock.trial_size = reference, trial
    ours = delta(reference, trial, delta_p=delta_p, delta_n=delta_n, rate=rate)
    assert ours == pytest.approx(float(stock.delta()), rel=1e-6, abs=1e-9)


def test_stress_is_that_of_qkeras_where_qkeras_has_one():
    """``forgiving_bits`` multiplies the reference by it; the energy goal of QKeras ignores it."""
    from qkeras.autoqkeras.forgiving_metrics.forgiving_bits import ForgivingFactorBits

    model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(2,), name="dense")])
    stock = ForgivingFactorBits(8, 8, 2, stress=0.5, config={"default": ["parameters"]})
    reference = stock.get_reference(model)
    unstressed = ForgivingFactorBits(8, 8, 2, config={"default": ["parameters"]})
    assert reference == 0.5 * unstressed.get_reference(model) == 0.5 * 9 * 8
    stock.trial_size = 20.0
    assert delta(72, 20, stress=0.5) == pytest.approx(float(stock.delta()), rel=1e-6)


def stock_score(outputs: np.ndarray, metric: object) -> float:
    """AutoQKeras' own score of one batch; both trials earn the same delta."""
    from qkeras.autoqkeras.autoqkeras_internal import AutoQKHyperModel

    function = AutoQKHyperModel.adjusted_score(None, 0.16, metric)
    return float(np.mean(function(tf.constant(TRUTH), tf.constant(outputs))))


def rmse(outputs: np.ndarray) -> float:
    return float(np.sqrt(np.mean((outputs - TRUTH) ** 2)))


def test_ours_prefers_the_better_network():
    assert score(0.003, rmse(GOOD), 0.16) > score(0.003, rmse(BAD), 0.16)
    assert score(0.003, rmse(GOOD), 0.16) == pytest.approx(1.16, rel=1e-4)


def test_stock_with_an_error_function_prefers_the_worse_network():
    mse = tf.keras.losses.mean_squared_error
    assert stock_score(BAD, mse) > 100 * stock_score(GOOD, mse) > 0
    assert stock_score(BAD, mse) == pytest.approx(rmse(BAD) ** 2 * 1.16, rel=1e-4)


def test_stock_with_the_word_mse_cannot_tell_networks_apart():
    """It becomes categorical accuracy, which is 1 for every target that is one number wide."""
    zeros = np.zeros_like(TRUTH)
    found = [stock_score(outputs, "mse") for outputs in (GOOD, BAD, zeros)]
    assert found == pytest.approx([1.16] * 3)
