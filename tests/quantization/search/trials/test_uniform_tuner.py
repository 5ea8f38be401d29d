"""Uniform networks with the same bits everywhere; scores with a limit; outcomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.base.architecture import Architecture, quantized_tensors
from pipeline.params import load_params
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.search.plan.pareto import on_front
from pipeline.quantization.search.plan.score import limit_score
from pipeline.quantization.search.plan.space import SearchSpaceError, declared_bits
from pipeline.quantization.search.plan.uniform import uniform_quantizers
from pipeline.quantization.search.results import (
    outcome_of,
    search_metrics,
    search_result,
)
from pipeline.quantization.search.trials.network_tuner import check_complete
from pipeline.quantization.search.trials.quantizer_tuner import best_of
from pipeline.quantization.search.trials.runner import SearchError
from pipeline.quantization.search.trials.uniform_tuner import UniformTuner
from pipeline.quantizers.hardware import check_exportable
from tests.imports import ROOT
from tests.quantization.search.made_up_search import (
    ARCHITECTURE,
    WEIGHTS,
    MadeUpTrainer,
    search,
    search_params,
)

PARAMS = ROOT / "params.yaml"


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM"])
def test_weights_and_state_have_the_bits_and_the_rest_the_most(cell):
    config = declared_bits(search_params()) | {
        "recurrent_activation": {"quantized_sigmoid(6)": 6, "quantized_sigmoid(9)": 9}
    }
    found = uniform_quantizers(
        search_params(quantization_config=config), Architecture(cell, 8, 5), 6
    )
    assert set(found) == set(quantized_tensors(cell))
    bits = {tensor: quantizer.bits for tensor, quantizer in found.items()}
    for tensor in ("rnn/kernel", "rnn/recurrent_kernel", "rnn/state", "dense/kernel"):
        assert bits[tensor] == 6
    assert bits["rnn/bias"] == bits["dense/bias"] == 14
    assert bits["dense/activation"] == 12
    assert bits["rnn/activation"] == (12 if cell == "SimpleRNN" else 13)
    if cell == "LSTM":
        assert bits["rnn/recurrent_activation"] == 9


@pytest.mark.parametrize(("cell", "bits"), [("SimpleRNN", 16), ("LSTM", 13)])
def test_an_activation_is_not_narrower_than_the_state_that_copies_it(cell, bits):
    config = declared_bits(search_params()) | {"recurrent_activation": {"quantized_sigmoid(9)": 9}}
    found = uniform_quantizers(
        search_params(quantization_config=config), Architecture(cell, 8, 5), 16
    )
    assert found["rnn/state"].bits == 16
    assert found["rnn/activation"].bits == bits
    assert found["dense/activation"].bits == 12


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_with_the_default_lists_the_points_can_become_firmware(cell):
    found = uniform_quantizers(load_params(PARAMS).search, Architecture(cell, 8, 5), 8)
    check_exportable(Architecture(cell, 8, 5), found)
    assert found["dense/activation"].text == "quantized_relu(12,0)"
    assert found["rnn/activation"].name == (
        "quantized_relu" if cell == "SimpleRNN" else "quantized_tanh"
    )


def test_a_missing_list_is_named():
    with pytest.raises(SearchSpaceError, match=r"search\.quantization_config\.bias: .*uniform"):
        uniform_quantizers(search_params(quantization_config={}), ARCHITECTURE, 6)


def uniform_networks(tuner):
    """Train the points beside a search, as its trials were trained."""
    points = UniformTuner(replace(tuner.runner, directory=Path("state/uniform")))
    points.search()
    return points


def test_they_are_trained_as_trials_are_and_only_once():
    trainer = MadeUpTrainer()
    params = search_params(max_trials=2, uniform_bits=[8, 4], seed=7)
    tuner = search(params, trainer)
    points = uniform_networks(tuner)
    records = points.records()
    assert [record.trial for record in records] == ["uniform_8", "uniform_4"]
    assert records[0].energy_nj > records[1].energy_nj
    for settings in trainer.settings[-2:]:
        assert settings.epochs == settings.reached == trainer.settings[0].epochs
        assert settings.batch_size == trainer.settings[0].batch_size
        assert settings.seed == 7
    (start,) = trainer.started_from[-1]
    assert all(np.array_equal(start[name], tensor) for name, tensor in WEIGHTS.items())
    assert uniform_networks(tuner).records() == records
    assert len(trainer.trained) == 4
    result = search_result(outcome_of([tuner], points), 58.3)
    assert result.uniform == records


def test_a_point_that_fails_is_named_and_tried_again():
    tuner = search(search_params(max_trials=2, uniform_bits=[4, 8, 6]), MadeUpTrainer(fail=(3,)))
    points = uniform_networks(tuner)
    assert [record.trial for record in points.records()] == ["uniform_4", "uniform_6"]
    assert list(points.failures()) == ["uniform_8"]
    with pytest.raises(SearchError, match=r"search\.uniform_bits: 3 trials asked, 2 completed, 1"):
        check_complete(points)
    again = uniform_networks(tuner)
    check_complete(again)
    assert [record.trial for record in again.records()] == ["uniform_4", "uniform_8", "uniform_6"]


def test_the_front_is_that_of_the_trials():
    tuner = search(search_params(max_trials=12, uniform_bits=[8]))
    outcome = outcome_of([tuner], uniform_networks(tuner))
    records = outcome.records
    expected = on_front([r.energy_nj for r in records], [r.validation_rmse_mev for r in records])
    result = search_result(outcome, 58.3)
    assert [row.on_front for row in result.trials] == expected.tolist()
    assert all(row.seed == 42 + int(row.trial) for row in result.trials)
    assert result.best == outcome.best.trial
    assert result.float_rmse_mev == tuner.runner.baseline.validation_rmse_mev
    assert result.ofmax_rmse_mev == 58.3
    front = result.front
    assert [row.energy_nj for row in front] == sorted(row.energy_nj for row in front)
    assert len(front) == sum(expected)

    assert search_metrics(outcome)["trials_on_front"] == sum(expected)

    weights = outcome.weights()
    assert set(weights) == {f"{name}/{tensor}" for name in result.networks for tensor in WEIGHTS}


def test_within_the_limit_the_cheapest_wins_and_beyond_it_the_nearest():
    def points(rmse, ratio):
        return limit_score(50.0, rmse, 1.02, ratio)

    assert points(51.0, 3.0) == 4.0  # the limit itself is within
    assert points(50.0, 2.0) == points(45.0, 2.0) == 3.0
    assert points(51.1, 100.0) == pytest.approx(51 / 51.1)
    ordered = [points(60, 9), points(52, 9), points(51.01, 9), points(51, 0.1), points(49, 0.5)]
    assert ordered == sorted(ordered)


def with_limit(limit):
    goal = search_params().goal.model_dump() | {"max_rmse_ratio": limit}
    return search(search_params(max_trials=12, goal=goal), directory=Path("limit/search"))


def test_a_search_with_a_limit_finds_the_cheapest_within_it(capsys):
    free = search(search_params(max_trials=12)).records()
    ratios = sorted(1 / record.quality for record in free)
    limit = float(np.mean(ratios[5:7]))
    tuner = with_limit(limit)
    outcome = outcome_of([tuner])
    within = [r for r in outcome.records if 1 / r.quality <= limit]
    assert len(within) == 6
    assert outcome.best.energy_nj == min(record.energy_nj for record in within)
    assert outcome.limit_met is True
    assert search_metrics(outcome)["limit_met"] == 1
    assert capsys.readouterr().err == ""


def test_a_limit_that_no_trial_meets_warns_and_takes_the_nearest(capsys):
    tuner = with_limit(0.5)
    outcome = outcome_of([tuner])
    assert outcome.best.validation_rmse_mev == min(r.validation_rmse_mev for r in outcome.records)
    assert outcome.limit_met is False
    assert search_result(outcome, 58.3).limit_met is False
    assert search_metrics(outcome)["limit_met"] == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "warning: search.goal.max_rmse_ratio: 0.5: no trial is within it; trial "
    )


def test_without_a_limit_none_is_met_or_missed():
    outcome = outcome_of([search(search_params(max_trials=2))])
    assert outcome.limit_met is None
    assert "limit_met" not in search_metrics(outcome)
    assert outcome.best == best_of(outcome.records)


def test_uniform_points_cost_more_the_more_bits_they_have():
    params = load_params(PARAMS)
    costs = CostModel(ARCHITECTURE, params.energy, "energy")
    energies = [
        costs.trial(uniform_quantizers(params.search, ARCHITECTURE, bits)).energy_nj
        for bits in params.search.uniform_bits
    ]
    assert energies == sorted(energies)
