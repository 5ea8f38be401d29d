"""Spaces smaller than what is asked for, and searches that go on to more trials."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.params import load_params
from pipeline.params.processes import ProcessesParams
from pipeline.quantization.search import state as search_state
from pipeline.quantization.search.plan.plan import describe, plan_search, planned_trials
from pipeline.quantization.search.results import outcome_of, search_metrics
from pipeline.quantization.search.run import run_search
from pipeline.quantization.search.trials.network_tuner import check_complete
from pipeline.quantization.search.trials.runner import TrialRunner, measure_baseline
from tests.quantization.search.made_up_search import (
    ARCHITECTURE,
    DIRECTORY,
    PARAMS,
    SMALL,
    WEIGHTS,
    MadeUpTrainer,
    search,
    search_params,
)

MODES = ["halving", "random", "bayesian", "hyperband"]
ENERGY = load_params(PARAMS).energy


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def values(record) -> tuple[Any, ...]:
    return tuple(sorted(record.quantizers.items()))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("asked", [4, 5, 30])
def test_a_small_space_is_searched_whole_and_gives_a_result(mode, asked):
    """Of four combinations, each once; survivors and rounds after that."""
    trainer = MadeUpTrainer()
    tuner = search(search_params(mode=mode, max_trials=asked, epochs=20, **SMALL), trainer)
    check_complete(tuner)
    records = tuner.records()
    assert len({values(record) for record in records}) == 4
    assert len(records) == tuner.trials_asked == len(trainer.trained)
    if mode in ("halving", "hyperband"):
        assert {record.epochs for record in records if record.continues} >= {20}
    metrics = search_metrics(outcome_of([tuner]))
    assert metrics["trials_asked"] == metrics["trials_completed"]
    assert metrics["trials_failed"] == 0


@pytest.mark.parametrize("mode", ["random", "bayesian", "halving"])
def test_the_last_combinations_are_found_where_chance_misses_them(mode, monkeypatch):
    """One draw in a row instead of a thousand."""
    monkeypatch.setattr("pipeline.quantization.search.trials.oracles._MAX_COLLISIONS", 0)
    tuner = search(search_params(mode=mode, max_trials=4, **SMALL))
    check_complete(tuner)
    assert len({values(record) for record in tuner.records()}) == 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("blocks", [None, ["rnn", "dense"]])
def test_the_stage_says_so_and_ends_with_a_result(mode, blocks, capsys):
    params = search_params(
        mode=mode, max_trials=30, epochs=20, blocks=blocks, uniform_bits=[8], descents=1, **SMALL
    )
    planned, costs = plan_search(params, ENERGY, ARCHITECTURE)
    trainer = MadeUpTrainer()
    baseline = measure_baseline(trainer, WEIGHTS, costs, 16.0)
    runner = TrialRunner(params, trainer, costs, baseline, WEIGHTS, 16.0, Path("state"))
    searched = run_search(runner, planned, ProcessesParams(workers=1, worker_timeout_s=60.0))
    outcome = outcome_of(searched.tuners, searched.points)
    assert len(outcome.records) == outcome.asked
    assert all(
        t.trials_asked <= planned_trials(params, b)
        for t, b in zip(searched.tuners, planned, strict=True)
    )
    key = "search.epochs: 20: " if mode == "hyperband" else "search.max_trials: 30: "
    for text in (capsys.readouterr().err, describe(planned, params)):
        assert key in text
        assert " 4 combinations: " in text


def test_nothing_is_said_where_there_are_enough():
    params = search_params(max_trials=4, **SMALL)
    planned, _ = plan_search(params, ENERGY, ARCHITECTURE)
    assert "search.max_trials" not in describe(planned, params)


@pytest.mark.parametrize("mode", ["random", "bayesian"])
@pytest.mark.parametrize(("fewer", "more"), [(2, 4), (3, 9), (9, 10), (8, 14)])
def test_the_first_trials_of_a_longer_search_are_those_of_a_shorter(mode, fewer, more):
    short = search(search_params(mode=mode, max_trials=fewer), directory=Path("a/s")).records()
    long = search(search_params(mode=mode, max_trials=more), directory=Path("b/s")).records()
    renamed = [r.model_copy(update={"trial": str(int(r.trial))}) for r in long[:fewer]]
    assert renamed == short


@pytest.mark.parametrize("mode", ["random", "bayesian"])
@pytest.mark.parametrize(("fewer", "more"), [(2, 4), (9, 10), (6, 12)])
@pytest.mark.parametrize("killed", [False, True])
def test_an_extended_search_trains_only_what_is_new(mode, fewer, more, killed):
    wanted = search(search_params(mode=mode, max_trials=more), directory=Path("a/s")).records()
    first = MadeUpTrainer(interrupt=fewer - 1 if killed else None)
    try:
        search(search_params(mode=mode, max_trials=fewer), first)
    except KeyboardInterrupt:
        assert killed
    second = MadeUpTrainer()
    extended = search(search_params(mode=mode, max_trials=more), second)
    check_complete(extended)
    assert extended.records() == wanted
    assert len(first.trained) + len(second.trained) == more
    assert outcome_of([extended]).weights().keys()


@pytest.mark.parametrize("killed", [None, 9])
def test_a_shorter_search_after_a_longer_one_is_the_shorter_one(killed):
    wanted = search(search_params(max_trials=6), directory=Path("a/s")).records()
    try:
        search(search_params(max_trials=12), MadeUpTrainer(interrupt=killed))
    except KeyboardInterrupt:
        assert killed
    trainer = MadeUpTrainer()
    shorter = search(search_params(max_trials=6), trainer)
    check_complete(shorter)
    assert shorter.records() == wanted
    assert trainer.trained == []
    again = MadeUpTrainer()
    whole = search(search_params(max_trials=12), again)
    check_complete(whole)
    assert len(whole.records()) == 12
    assert len(again.trained) == (0 if killed is None else 3)


def test_a_width_keeps_its_float_network_where_trials_are_renamed():
    search(search_params(max_trials=9))
    file = DIRECTORY / "float_6.h5"
    file.write_bytes((DIRECTORY / "weights_6.h5").read_bytes())
    search(search_params(max_trials=10))
    assert file.exists()
    assert (DIRECTORY / "weights_06.h5").exists()


def test_only_the_newest_finished_searches_are_kept():
    params = search_params()
    for number in range(6):
        directory = search_state.STATE_ROOT / str(number)
        directory.mkdir(parents=True)
        search_state.finish(directory, params)
        os.utime(directory / "finished.txt", (number, number))
    running = search_state.STATE_ROOT / "killed"
    running.mkdir()
    last = search_state.STATE_ROOT / "last"
    last.mkdir()
    search_state.finish(last, params)
    kept = sorted(path.name for path in search_state.STATE_ROOT.iterdir())
    assert kept == ["3", "4", "5", "killed", "last"]
    search_state.finish(last, search_params(mode="halving"))
    assert not last.exists()
