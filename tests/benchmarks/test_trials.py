"""The benchmark of the search: its clock, its extrapolation, what each side is told."""

from __future__ import annotations

import argparse

import pytest

from benchmarks import trials
from benchmarks.autoqkeras import settings_of
from benchmarks.trial_clock import TrialClock, TrialTime, extrapolated
from pipeline.params import load_params
from pipeline.quantization.search.plan.space import declared_bits
from tests.benchmarks.conftest import PARAMS, table

SEARCH = load_params(PARAMS).search


def test_what_is_not_an_epoch_after_another_is_fixed_cost():
    clock = TrialClock()
    clock.trials = [
        TrialTime(0.0, [10.0, 12.0, 14.0], 15.0),  # 2 s an epoch, 15 - 3 * 2 s besides
        TrialTime(20.0, [27.0, 29.0], 29.0),
        TrialTime(30.0, [41.0], 43.0),  # one epoch still has a fixed cost
    ]
    assert clock.figures() == {"epoch_s": 2.0, "fixed_s": 9.0}


def test_trials_of_one_epoch_say_nothing_of_epochs():
    clock = TrialClock()
    clock.trials = [TrialTime(0.0, [10.0], 15.0)]
    assert clock.figures() == {"epoch_s": None, "fixed_s": None}
    assert extrapolated(clock.figures(), [(20, 80)]) is None


def test_a_clock_notes_epochs_of_trials_only():
    clock = TrialClock()
    clock.epoch_ended()

    def trial(answer):
        clock.epoch_ended()
        clock.epoch_ended()
        return answer

    assert clock.around(trial)(answer=3) == 3
    clock.epoch_ended()
    with pytest.raises(TypeError):
        clock.around(trial)()
    assert [len(time.epochs) for time in clock.trials] == [2, 0]
    assert all(time.begin <= time.end for time in clock.trials)


def test_an_extrapolation_pays_the_fixed_cost_once_for_each_training():
    figures = {"epoch_s": 2.0, "fixed_s": 10.0}
    assert extrapolated(figures, [(20, 80)]) == 20 * (10 + 160)
    assert extrapolated(figures, [(20, 20), (8, 60)]) == 20 * (10 + 40) + 8 * (10 + 120)


def test_equal_settings_offer_the_quantizers_of_this_project():
    equal = settings_of("equal", SEARCH)
    offered = equal["quantization_config"]["kernel"]
    assert set(offered) == {
        text for kind in ("kernel", "recurrent_kernel") for text in declared_bits(SEARCH)[kind]
    }
    kernel, bias, recurrent, activation = equal["limit"]["SimpleRNN"]
    assert kernel == recurrent == list(declared_bits(SEARCH)["recurrent_kernel"])
    assert bias == max(declared_bits(SEARCH)["bias"].values())
    assert activation == equal["activation_bits"] == 12
    assert equal["limit"]["Dense"][0] == ["quantized_bits(8,0,1,alpha='auto_po2')"]


def test_stock_settings_leave_the_default_of_the_activations():
    assert "activation_bits" not in settings_of("stock", SEARCH)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"epochs": 80}, ("halving", 80, 20, 4)),
        ({"epochs": 8}, ("halving", 8, 2, 4)),
        ({"epochs": 8, "first_epochs": 3, "survivors": 2}, ("halving", 8, 3, 2)),
        ({"epochs": 1, "mode": "random"}, ("random", 1, 1, 4)),
    ],
)
def test_our_side_searches_as_asked(given, found):
    options = {"mode": None, "first_epochs": None, "survivors": None, "trials": 4, "seed": 7}
    settings = trials.our_settings(SEARCH, argparse.Namespace(**options | given))
    assert (settings.mode, settings.epochs, settings.first_epochs, settings.survivors) == found
    assert (settings.max_trials, settings.seed) == (4, 7)
    assert (settings.uniform_bits, settings.descents) == ([], 0)


def test_quality_is_one_score_for_both_sides(workplace):
    """The float network has 100 MeV here: 102 are within the limit, 103 are not."""
    figures = trials.quality_of([(101.0, 50.0), (102.0, 40.0), (103.0, 10.0)])
    assert figures["best_rmse_mev"] == 101.0
    assert figures["cheapest_pj"] == 40.0
    assert figures["best_score"] == trials.quality_of([(103.0, 10.0)])["best_score"]
    assert trials.quality_of([(103.0, 10.0)])["cheapest_pj"] is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # stock AutoQKeras has many
@pytest.mark.filterwarnings("ignore::UserWarning:keras")
def test_both_sides_search(workplace, capsys):
    """Halving: the only trial survives and trains on, which counts as a second one."""
    trials.main(
        ["--trials", "1", "--epochs", "2", "--our-trials", "1", "--our-epochs", "3",
         "--mode", "halving", "--first-epochs", "2", "--survivors", "1",
         "--repeats", "1", "--extrapolate", "20", "80"]
    )  # fmt: skip
    first, short = SEARCH.max_trials, SEARCH.first_epochs
    survivors, descents = SEARCH.survivors, SEARCH.descents
    rows = table(capsys.readouterr().out)
    assert rows["trials completed"][:2] == ["1 [1, 1]", "2 [2, 2]"]
    epoch, fixed, whole, halved = (
        [float(cell.split()[0]) for cell in rows[title][:2]]
        for title in (
            "seconds of an epoch",
            "seconds of a trial besides its epochs",
            "EXTRAPOLATED: 20 trials of 80 epochs, s",
            f"EXTRAPOLATED: the same; ours as shipped, {first} of {short}, {survivors} of "
            f"{80 - short} more and {descents} of 80, s",
        )
    )
    for side in (0, 1):
        assert whole[side] == pytest.approx(20 * (fixed[side] + 80 * epoch[side]), rel=0.02)
    assert halved[0] == whole[0]
    epochs = first * short + survivors * (80 - short) + descents * 80
    begun = first + survivors + descents
    assert halved[1] == pytest.approx(begun * fixed[1] + epochs * epoch[1], rel=0.02)
