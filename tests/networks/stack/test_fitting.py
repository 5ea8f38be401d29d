"""A training of a stack: the best of each lane, parts that are one whole, early ends."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.base.files import ArtifactError
from pipeline.networks.stack import fitting
from pipeline.networks.stack.checkpoint import StackCheckpoint
from pipeline.networks.stack.fitting import (
    LaneFit,
    Plan,
    Progress,
    epoch_seed,
    lane_seeds,
    settle,
    windows_of,
)
from pipeline.networks.stack.stack import Stack
from tests.networks.sequences import echo_data
from tests.networks.stack.made_up import COARSE, FLOAT, N, same, weights_of, windows

TRAIN, VALIDATION = windows(600), windows(200)
QUIET = Progress("test", shown=False)


class Steady:
    """A recipe of one rate; lanes end after their number of epochs."""

    def __init__(self, rate: float = 0.02, ends: tuple[int, ...] = (99,) * N) -> None:
        self.rate, self.ends = rate, np.array(ends)

    def rates(self, epoch):
        return np.full(N, self.rate)

    def still_on(self, epoch, validation_loss, improved):
        return epoch + 1 < self.ends


def fit_of(formats=COARSE, units=4):
    stack = Stack([formats] * N, [weights_of(units, lane) for lane in range(N)])
    return LaneFit(stack, TRAIN, VALIDATION)


def plan(first=0, last=8, epochs=8):
    return Plan(first, last, 32, lane_seeds(7), epochs)


def test_the_best_epoch_of_each_lane_is_kept():
    fit = fit_of()
    fit.run(plan(), Steady(0.3), QUIET)  # a wild rate: the last epoch is not the best
    losses = np.array(fit.curves.validation_loss)
    np.testing.assert_array_equal(fit.best_loss, losses.min(axis=0))
    assert np.any(losses.argmin(axis=0) < 7)
    again = fit.stack.with_weights(fit.best_weights).mean_squared_errors(VALIDATION)
    np.testing.assert_array_equal(again, fit.best_loss)
    curve = fit.curve(2)
    assert curve.validation_loss == list(losses[:, 2])
    assert curve.learning_rate == [0.3] * 8
    assert curve.epochs == 8


@pytest.mark.parametrize("cut", [1, 5, 7])
@pytest.mark.parametrize("formats", [COARSE, FLOAT], ids=["coarse", "float"])
def test_a_training_in_two_parts_is_that_in_one(cut, formats, tmp_path):
    """Also where scales are held (from 4 of 8 epochs) and weights frozen (from 5 on)."""
    whole = fit_of(formats)
    whole.run(plan(), Steady(), QUIET)
    first = fit_of(formats)
    first.run(plan(last=cut), Steady(), QUIET)
    stack = first.stack
    moments = zip(*stack.moments, strict=True)
    StackCheckpoint(
        stack.weights,
        *(list(by_lane) for by_lane in moments),
        stack.frozen,
        first.best_weights,
        np.arange(N),
    ).save(tmp_path / "c.h5")
    shapes = {name: value.shape for name, value in stack.weights[0].items()}
    read = StackCheckpoint.load(tmp_path / "c.h5", shapes)
    np.testing.assert_array_equal(read.waited, np.arange(N))
    steps = stack.steps
    stack = Stack(
        [formats] * N,
        read.weights,
        list(zip(read.first_moment, read.second_moment, strict=True)),
        steps,
    )
    stack.freeze_again(read.frozen)
    second = LaneFit(stack, TRAIN, VALIDATION, read.best)
    np.testing.assert_array_equal(second.best_loss, first.best_loss)
    second.run(plan(first=cut), Steady(), QUIET)
    np.testing.assert_array_equal(second.best_loss, whole.best_loss)
    for lane in range(N):
        same(second.best_weights[lane], whole.best_weights[lane])
        same(second.stack.weights[lane], whole.stack.weights[lane])


def test_a_file_of_another_network_is_refused(tmp_path):
    fit = fit_of()
    weights = fit.stack.weights
    StackCheckpoint(weights, weights, weights, weights, weights, np.zeros(N)).save(tmp_path / "c")
    shapes = {name: value.shape for name, value in weights[0].items()}
    with pytest.raises(ArtifactError, match="rnn/kernel"):
        StackCheckpoint.load(tmp_path / "c", shapes | {"rnn/kernel": (1, 5)})


def test_lanes_that_have_ended_are_better_no_more_and_the_last_one_ends_the_training():
    fit = fit_of()
    fit.run(plan(), Steady(ends=(2, 5) + (3,) * (N - 2)), QUIET)
    losses = np.array(fit.curves.validation_loss)
    assert len(losses) == 5
    for lane, epochs in ((0, 2), (1, 5), (2, 3)):
        assert fit.best_loss[lane] == losses[:epochs, lane].min()
        assert fit.curve(lane).validation_loss == list(losses[:epochs, lane])


def test_a_recipe_hears_which_losses_are_the_lowest_of_lanes_that_train_on():
    heard = []

    class Listening(Steady):
        def still_on(self, epoch, validation_loss, improved):
            heard.append(improved)
            return super().still_on(epoch, validation_loss, improved)

    fit = fit_of()
    fit.run(plan(), Listening(0.05, ends=(3,) + (8,) * (N - 1)), QUIET)
    losses = np.array(fit.curves.validation_loss)
    lowest = np.minimum.accumulate(losses, axis=0)
    expected = np.vstack([np.full(N, True), losses[1:] < lowest[:-1]])
    expected[3:, 0] = False
    np.testing.assert_array_equal(np.array(heard), expected)
    assert expected[1:].any()
    assert not expected.all()


def test_data_are_read_as_they_are_or_with_other_samples():
    data = echo_data(30, 3)
    read = windows_of(data)
    np.testing.assert_array_equal(read.samples, data.samples.numpy())
    np.testing.assert_array_equal(read.truth, data.truth.numpy())
    inputs, targets = (part.numpy() for part in data.gather(np.arange(read.count, dtype="i4")))
    for first in (0, read.count - 1):
        np.testing.assert_array_equal(read.samples[first : first + 3], inputs[first, :, 0])
        assert read.truth[first + read.target] == targets[first, 0]
    other = windows_of(data, data.samples * 2)
    np.testing.assert_array_equal(other.samples, 2 * read.samples)
    np.testing.assert_array_equal(other.truth, read.truth)


def test_one_lane_without_a_finite_loss_stops_none_and_all_of_them_are_an_error():
    broken = {name: value * np.float32(np.nan) for name, value in weights_of(4, 0).items()}
    start = [broken] * (N - 1) + [weights_of(4, 1)]
    fit = LaneFit(Stack([FLOAT] * N, start), TRAIN, VALIDATION)
    fit.run(plan(last=2), Steady(), QUIET)
    assert np.isfinite(fit.best_loss).tolist() == [False] * (N - 1) + [True]
    fit = LaneFit(Stack([FLOAT] * N, [broken] * N), TRAIN, VALIDATION)
    with pytest.raises(FloatingPointError, match="not finite in epoch 1"):
        fit.run(plan(), Steady(), QUIET)


def test_each_epoch_gives_a_sign_of_life():
    signs = []
    fit_of().run(plan(last=3), Steady(), Progress("test", False, lambda: signs.append(1)))
    assert len(signs) == 3


@pytest.mark.parametrize(
    ("done", "held", "frozen"),
    [(0.49, False, 0), (0.5, True, 0), (0.55, True, 0), (0.75, True, 0.5), (0.95, True, 1)],
)
def test_scales_are_held_and_weights_frozen_in_the_second_half(done, held, frozen):
    calls = {}

    class Noted:
        def hold_scales(self):
            calls["held"] = True

        def freeze(self, fraction):
            calls["frozen"] = fraction

    settle(Noted(), done)
    assert calls.get("held", False) == held
    assert calls.get("frozen", 0) == pytest.approx(frozen)


def test_without_the_length_of_the_training_nothing_is_held(monkeypatch):
    monkeypatch.setattr(fitting, "settle", lambda *_: pytest.fail("settled"))
    fit_of().run(plan(epochs=None), Steady(), QUIET)


def test_seeds_differ_by_lane_and_epoch():
    seeds = {epoch_seed(s, epoch) for s in lane_seeds(1) + lane_seeds(2) for epoch in range(50)}
    assert len(seeds) == 2 * N * 50
    assert lane_seeds(5)[0] == 5
