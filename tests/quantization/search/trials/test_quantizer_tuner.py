"""The search, with a trainer that makes losses up: which trials run, how often, which wins."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.artifacts.search import Trial
from pipeline.quantization.search.plan.pareto import nondominated_order
from pipeline.quantization.search.plan.score import forgiving_delta
from pipeline.quantization.search.plan.space import declared_bits
from pipeline.quantization.search.results import (
    outcome_of,
    search_metrics,
    search_result,
)
from pipeline.quantization.search.trials.network_tuner import check_complete
from pipeline.quantization.search.trials.quantizer_tuner import Decided, best_of
from pipeline.quantization.search.trials.runner import SearchError
from pipeline.quantization.training.settings import QatSettings, cosine_decay
from pipeline.quantizers.quantizer import parse_quantizer
from tests.quantization.search.made_up_search import (
    DIRECTORY,
    REFERENCE_LOSS,
    SMALL,
    WEIGHTS,
    MadeUpTrainer,
    make_tuner,
    search,
    search_params,
)
from tests.quantization.searched import trial_row

MODES = ["halving", "random", "bayesian", "hyperband"]


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("mode", MODES)
def test_every_trial_that_was_asked_for_completes(mode):
    trainer = MadeUpTrainer()
    tuner = search(search_params(mode=mode, max_trials=14), trainer)
    check_complete(tuner)
    records = tuner.records()
    assert len(records) == tuner.trials_asked == len(trainer.trained)
    assert [int(record.trial) for record in records] == list(range(len(records)))
    assert tuner.failures() == {}
    metrics = search_metrics(outcome_of([tuner]))
    assert metrics["trials_asked"] == metrics["trials_completed"] == len(records)
    assert metrics["trials_failed"] == 0
    result = search_result(outcome_of([tuner]), 58.3)
    assert result.best == best_of(records).trial
    assert [Trial(**row.model_dump(exclude={"on_front"})) for row in result.trials] == records
    assert result.ofmax_rmse_mev == 58.3
    json.dumps([result.model_dump(), metrics], allow_nan=False)
    made = [(settings.first_epoch, settings.reached) for settings in trainer.settings]
    expected = {
        "hyperband": [(0, 1)] * 3 + [(1, 3)] + [(0, 3)] * 2,  # brackets of 3 + 1 trials and 2
        "halving": [(0, 1)] * 14 + [(1, 3)] * 2,
    }
    assert made == expected.get(mode, [(0, 3)] * 14)
    if mode != "hyperband":
        assert len({tuple(record.quantizers.items()) for record in records}) == 14


def test_a_record_says_what_was_trained_and_scored():
    trainer = MadeUpTrainer()
    tuner = search(search_params(max_trials=3, seed=100), trainer)
    for number, record in enumerate(tuner.records()):
        loss = float(tuner.weights(record.trial)["dense/bias"][0])
        assert record.seed == 100 + number == trainer.settings[number].seed
        assert record.epochs == 3
        assert record.validation_rmse_mev == pytest.approx(np.sqrt(loss) * 16_000)
        assert record.quality == pytest.approx(np.sqrt(REFERENCE_LOSS / loss))
        goal = tuner.params.goal.model_dump(exclude={"type", "max_rmse_ratio"})
        assert record.delta == forgiving_delta(tuner.runner.baseline.cost, record.cost, **goal)
        assert record.score == pytest.approx(record.quality * (1 + record.delta))
        assert record.cost == pytest.approx(record.energy_nj * 1000)
        assert set(record.quantizers) >= {"input", "rnn/state", "dense/activation"}


def test_the_goal_bits_costs_bits():
    goal = {**search_params().goal.model_dump(), "type": "bits"}
    tuner = search(search_params(max_trials=2, goal=goal, **SMALL))
    for record in tuner.records():
        assert record.cost > record.weight_bits > record.energy_nj
    assert tuner.runner.baseline.cost > max(record.cost for record in tuner.records())
    assert search_metrics(outcome_of([tuner]))["reference_energy_nj"] < 1


@pytest.mark.parametrize("transfer", [True, False])
def test_trials_start_from_the_float_weights_or_from_new_ones(transfer):
    trainer = MadeUpTrainer()
    search(search_params(max_trials=2, transfer_weights=transfer), trainer)
    if not transfer:
        assert trainer.started_from == [None, None]
        return
    for (start,) in trainer.started_from:  # the second is read from disk
        assert all(np.array_equal(start[name], tensor) for name, tensor in WEIGHTS.items())


@pytest.mark.parametrize("decided", [False, True])
def test_starts_are_rescaled_for_the_kernel_that_the_trial_decides(decided):
    """Of an earlier block's kernel, QAT has made something already."""
    signs = "binary(alpha='auto_po2')"
    config = declared_bits(search_params())
    config = config | {"kernel": config["kernel"] | {signs: 1}}
    limit = search_params().limit | {"SimpleRNN": [[signs], 14, 10, 12, 12]}
    params = search_params(max_trials=1, quantization_config=config, limit=limit)
    trainer = MadeUpTrainer()
    tuner = make_tuner(params, trainer)
    if decided:
        tuner.choices = [c for c in tuner.choices if c.tensors != ("rnn/kernel",)]
        tuner.decided = Decided({"rnn/kernel": parse_quantizer(signs, "kernel")}, 8)
    tuner.search()
    assert trainer.kernels == ([] if decided else [signs])


def test_a_block_that_follows_has_one_start_the_weights_of_the_best_trial_before():
    trainer = MadeUpTrainer()
    tuner = make_tuner(search_params(max_trials=1), trainer)
    before = {**WEIGHTS, "dense/bias": np.array([0.5], np.float32)}
    tuner.runner = replace(tuner.runner, float_weights=before, varied=False)
    tuner.search()
    ((start,),) = trainer.started_from
    assert start is before


@pytest.mark.parametrize("mode", ["halving", "hyperband"])
def test_a_survivor_goes_on_with_the_training_of_the_shorter_trial(mode):
    trainer = MadeUpTrainer()
    tuner = search(search_params(mode=mode), trainer)
    records = {record.trial: record for record in tuner.records()}
    longer = [record for record in records.values() if record.continues is not None]
    assert len(longer) == (2 if mode == "halving" else 1)
    for record in longer:
        shorter = records[record.continues]
        assert (shorter.epochs, record.epochs) == (1, 3)
        assert record.quantizers == shorter.quantizers
        assert record.seed == shorter.seed
        call = list(records).index(record.trial)
        assert trainer.settings[call].epochs == 3  # of the whole schedule
        stand = trainer.went_on_from[call].weights["dense/bias"]
        np.testing.assert_array_equal(stand, tuner.weights(shorter.trial)["dense/bias"])
        np.testing.assert_array_equal(trainer.started_from[call]["dense/bias"], stand)
    if mode == "hyperband":
        short = [record for record in records.values() if record.epochs == 1]
        assert longer[0].continues == best_of(short).trial


def test_halving_trains_on_whom_few_others_beat():
    tuner = search(search_params(mode="halving", max_trials=12, survivors=4))
    first, longer = tuner.records()[:12], tuner.records()[12:]
    order = nondominated_order([r.cost for r in first], [r.validation_rmse_mev for r in first])
    assert [record.continues for record in longer] == [first[place].trial for place in order[:4]]
    cheapest = min(first, key=lambda record: record.cost)
    assert cheapest.trial in {record.continues for record in longer}
    assert best_of(first).trial in {record.continues for record in longer}


def test_halving_never_trains_on_a_dead_network():
    trainer = MadeUpTrainer()
    params = search_params(mode="halving", survivors=3)
    doomed = search(params, directory=Path("a/s")).records()[6:]
    trainer.dead_seeds = {record.seed for record in doomed}
    tuner = search(params, trainer, Path("b/s"))
    assert {record.seed for record in tuner.records()[6:]}.isdisjoint(trainer.dead_seeds)
    assert len(tuner.records()) == 9
    assert sum(record.dead for record in tuner.records()) == 3


@pytest.mark.parametrize("alive", [0, 1])
def test_halving_asks_for_no_more_survivors_than_there_are(alive):
    params = search_params(mode="halving", survivors=3)
    seeds = [record.seed for record in search(params, directory=Path("a/s")).records()[:6]]
    trainer = MadeUpTrainer()
    trainer.dead_seeds = set(seeds[alive:])
    tuner = search(params, trainer, Path("b/s"))
    check_complete(tuner)
    assert len(tuner.records()) == tuner.trials_asked == 6 + alive


def test_halving_with_a_failed_trial_chooses_no_survivors_before_it_is_repeated():
    params = search_params(mode="halving")
    undisturbed = search(params, directory=Path("a/s")).records()
    broken = MadeUpTrainer(fail=(2,))
    assert len(search(params, broken).records()) == 5
    again = search(params)
    check_complete(again)
    assert again.records() == undisturbed


def test_a_descent_tries_cheaper_neighbours_of_the_best_in_rounds():
    goal = {**search_params().goal.model_dump(), "max_rmse_ratio": 1.065}
    params = search_params(mode="halving", max_trials=8, survivors=3, descents=9, goal=goal)
    tuner = search(params)
    check_complete(tuner)
    records = tuner.records()
    steps = records[8 + 3 :]
    assert len(steps) == tuner.trials_asked - 11 > 5
    for number, step in enumerate(steps, 11):
        before = records[:number]
        assert step.epochs == 3
        assert step.continues is None or records[int(step.continues)].epochs == 1
        whole = [record for record in before if record.epochs == 3]
        assert step.quantizers not in [record.quantizers for record in whole]
        assert step.cost < max(record.cost for record in before if record.score >= 1)
        differing = [
            sum(step.quantizers[tensor] != text for tensor, text in record.quantizers.items())
            for record in before
        ]
        assert min(differing) <= 1  # 0 where a short trial goes on
    assert best_of(records) in steps


def test_a_descent_ends_where_no_step_is_left():
    tuner = search(search_params(mode="halving", max_trials=4, survivors=4, descents=5, **SMALL))
    check_complete(tuner)
    assert len(tuner.records()) == tuner.trials_asked == 8


@pytest.mark.parametrize("failing", [8, 10])
def test_a_descent_with_a_failed_trial_goes_no_further_before_it_is_repeated(failing):
    params = search_params(mode="halving", descents=6)
    undisturbed = search(params, directory=Path("a/s")).records()
    broken = search(params, MadeUpTrainer(fail=(failing,)))
    assert failing < len(broken.records()) + 1 < len(undisturbed)
    with pytest.raises(SearchError, match="1 failed"):
        check_complete(broken)
    again = search(params)
    check_complete(again)
    assert again.records() == undisturbed


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_asks_for_the_same_trials(mode):
    params = search_params(mode=mode, max_trials=8)
    first = search(params, directory=Path("a/s")).records()
    again = search(params, directory=Path("b/s")).records()
    assert first == again
    other = search(search_params(mode=mode, max_trials=8, seed=43), directory=Path("c/s"))
    assert [r.quantizers for r in other.records()] != [r.quantizers for r in first]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("failing", [(1,), (0, 1, 2)])
def test_failed_trials_are_counted_and_the_search_fails(mode, failing, capsys):
    trainer = MadeUpTrainer(fail=failing)
    tuner = search(search_params(mode=mode), trainer)
    failures = tuner.failures()
    assert len(failures) == len(failing)
    expected = rf"{len(failing)} failed \(FloatingPointError: the loss is not finite in call "
    with pytest.raises(SearchError, match=expected) as caught:
        check_complete(tuner)
    completed = len(tuner.records())
    assert f"{tuner.trials_asked} trials asked, {completed} completed" in str(caught.value)
    assert completed == trainer.calls - len(failing)
    if completed:
        assert search_metrics(outcome_of([tuner]))["trials_failed"] == len(failing)
    errors = capsys.readouterr().err
    for identity in failures:
        assert f"trial {identity} failed: FloatingPointError" in errors


@pytest.mark.parametrize("mode", ["random", "hyperband"])
def test_failed_trials_get_another_chance_when_the_search_starts_again(mode):
    params = search_params(mode=mode)
    undisturbed = search(params, directory=Path("a/s")).records()
    first = MadeUpTrainer(fail=(1,))
    assert len(search(params, first).failures()) == 1
    (reason,) = DIRECTORY.glob("failure_*.txt")
    assert "Traceback" in reason.read_text()
    second = MadeUpTrainer()
    tuner = search(params, second)
    check_complete(tuner)
    assert not reason.exists()
    assert "trial 1" in " ".join(second.trained).replace("trial 000", "trial ")
    assert not set(first.trained) & set(second.trained)
    if mode == "random":
        assert tuner.records() == undisturbed
        assert second.trained == ["trial 1"]


def test_bayesian_search_chooses_for_itself_within_the_default_trials():
    """Only decisions with a choice count: 2 kernels, 2 activations, ... of nine in all."""
    params = {"max_trials": 14, "tune_filters": "none"}
    random, bayesian = (
        [
            record.quantizers
            for record in search(search_params(mode=mode, **params), directory=path).records()
        ]
        for mode, path in (("random", Path("a/s")), ("bayesian", Path("b/s")))
    )
    assert bayesian[:12] == random[:12]  # three for each of four
    assert bayesian[12:] != random[12:]


def record(trial: str, score: float) -> Trial:
    return Trial(**trial_row(trial, score=score))


def test_the_best_trial_is_the_earlier_one_of_equals():
    records = [record("00", 0.5), record("02", 0.9), record("10", 0.9), record("11", 0.1)]
    assert best_of(records).trial == "02"
    assert best_of(records[::-1]).trial == "02"
    assert best_of([records[0].model_copy(update={"score": 0.91}), *records]).trial == "00"


def test_verify_accepts_what_was_trained_and_detects_other_weights():
    tuner = search(search_params(max_trials=2))
    best = best_of(tuner.records())
    tuner.verify(best)
    file = tuner.state / f"weights_{best.trial}.h5"
    other = next(r for r in tuner.records() if r.trial != best.trial)
    file.write_bytes((tuner.state / f"weights_{other.trial}.h5").read_bytes())
    with pytest.raises(SearchError, match=rf"trial {best.trial}: scored .* stored weights give"):
        tuner.verify(best)
    with pytest.raises(SearchError, match="stored weights give"):
        search_result(outcome_of([tuner]), 58.3)


def test_verify_detects_a_changed_record():
    tuner = search(search_params(max_trials=2))
    best = best_of(tuner.records())
    better = best.validation_rmse_mev * 0.99
    with pytest.raises(SearchError, match="stored weights give"):
        tuner.verify(best.model_copy(update={"validation_rmse_mev": better}))


def test_the_learning_rate_falls_to_nothing_along_a_cosine():
    settings = QatSettings(epochs=4, batch_size=1, learning_rate=0.1, seed=1)
    rates = [cosine_decay(settings).schedule(epoch, 0.0) for epoch in range(5)]
    assert rates == pytest.approx([0.1, 0.0853553, 0.05, 0.0146447, 0], rel=1e-5)
