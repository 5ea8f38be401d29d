"""Prices grow, rates fall, bits stay in the second part, and the best epoch is kept."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.networks.stack.learned import LearnedStack
from pipeline.networks.stack.learned_network import LearnedNetwork
from pipeline.quantization.learned_bits.learning import Data, Recipe, learn_bits
from tests.networks.stack.made_up import N, same, weights_of, windows

LENGTH, REFERENCE = 3, 0.02
SHORT = Recipe(6, 4, 32, learning_rate=0.02, fixed_rate=0.005, growing=0.5, candidates=0.34)
DATA = Data(windows(500), windows(300), REFERENCE)
PRICES = [10.0 ** (lane / 2 - 5) for lane in range(N)]


def start(lane: int = 1) -> LearnedNetwork:
    return LearnedNetwork.with_bits(weights_of(4, lane), 5.0, 6.0)


def test_prices_grow_to_their_last_value_and_rates_fall_in_both_parts():
    recipe = Recipe()
    prices = [recipe.price(epoch) for epoch in range(60)]
    assert prices[0] == pytest.approx(0.01)
    np.testing.assert_allclose(np.diff(np.log(prices[:25])), np.log(100) / 24)
    assert prices[24:] == [1.0] * 36
    rates = [recipe.rate(epoch) for epoch in range(80)]
    assert rates[:25] == [5e-4] * 25
    assert np.all(np.diff(rates[24:60]) < 0)
    assert 5e-5 < rates[59] < 6e-5
    assert rates[60] == 5e-5
    assert np.all(np.diff(rates[60:]) < 0)
    assert rates[79] < 1e-6
    assert [epoch for epoch in range(80) if recipe.is_candidate(epoch)] == list(range(45, 80))


def test_what_is_kept_is_the_epoch_of_least_error_and_price():
    seen = []
    found = learn_bits(
        [start()] * N, PRICES, 3, DATA, SHORT, after_epoch=lambda *now: seen.append(now)
    )
    assert [epoch for epoch, _, _ in seen] == list(range(10))
    totals = np.array([losses / REFERENCE + PRICES * bits for _, losses, bits in seen])[4:]
    kept = [f.validation_loss / REFERENCE + f.price * f.rounded.operations for f in found]
    np.testing.assert_allclose(kept, totals.min(axis=0), rtol=1e-12)
    assert len(set(totals.argmin(axis=0))) > 1
    stack = LearnedStack([f.network for f in found], LENGTH, REFERENCE)
    losses = stack.mean_squared_errors(DATA.validation)
    np.testing.assert_array_equal(losses, [f.validation_loss for f in found])
    operations = [f.rounded.operations for f in found]
    assert operations[-1] < 0.8 * operations[0]


def test_bits_stay_in_the_second_part_and_weights_move():
    """Whatever is best: the same training without its second part has the same bits."""
    first = Recipe(**{**vars(SHORT), "fixed_epochs": 0})
    before = learn_bits([start()] * N, PRICES, 3, DATA, first)
    after = learn_bits([start()] * N, PRICES, 3, DATA, SHORT)
    moved = 0
    for one, other in zip(before, after, strict=True):
        same(one.network.fraction_bits, other.network.fraction_bits)
        np.testing.assert_array_equal(one.network.unit_bits, other.network.unit_bits)
        moved += np.any(one.rounded.weights["rnn/kernel"] != other.rounded.weights["rnn/kernel"])
    assert moved


def test_the_second_part_starts_in_the_middle_of_the_steps():
    """At a rate of nearly 0 a weight would leave an edge at once, but not the middle."""
    still = Recipe(**{**vars(SHORT), "fixed_rate": 1e-12})
    seen = []
    first = Recipe(**{**vars(SHORT), "fixed_epochs": 0})
    before = learn_bits([start()] * N, PRICES, 3, DATA, first)
    learn_bits([start()] * N, PRICES, 3, DATA, still, after_epoch=lambda *now: seen.append(now))
    for _, losses, operations in seen[6:]:
        np.testing.assert_array_equal(losses, [found.validation_loss for found in before])
        np.testing.assert_array_equal(operations, [found.rounded.operations for found in before])


def test_bits_of_units_may_stay_those_of_the_start():
    found = learn_bits(
        [start()] * N, PRICES, 3, DATA, Recipe(**{**vars(SHORT), "unit_bits": False})
    )
    for one in found:
        np.testing.assert_array_equal(one.network.unit_bits, start().unit_bits)
        assert np.any(one.network.fraction_bits["rnn/kernel"] != 5)
    learned = learn_bits([start()] * N, PRICES, 3, DATA, SHORT)
    assert any(np.any(one.network.unit_bits != start().unit_bits) for one in learned)


def test_a_lane_does_not_depend_on_its_neighbours():
    others = [start(lane) for lane in range(N)]
    alone = learn_bits([start(2)] * N, [1e-4] * N, 3, DATA, SHORT)
    crowd = learn_bits(others, [1e-4 if lane == 2 else 1e-2 for lane in range(N)], 3, DATA, SHORT)
    same(alone[2].network.weights, crowd[2].network.weights)
    same(alone[2].network.fraction_bits, crowd[2].network.fraction_bits)
    assert alone[2].validation_loss == crowd[2].validation_loss
    assert alone[2].validation_loss != alone[1].validation_loss  # another order of windows
