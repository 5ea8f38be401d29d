"""Blocks: grouping, schedule, trials, and that each block's best is carried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.base.architecture import quantized_tensors
from pipeline.params import load_params
from pipeline.params.processes import ProcessesParams
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.search.plan.blocks import group_layers, plan_blocks
from pipeline.quantization.search.plan.plan import describe, plan_search, planned_trials
from pipeline.quantization.search.plan.space import (
    SearchSpaceError,
    build_search_space,
    network_layers,
)
from pipeline.quantization.search.results import outcome_of, search_result
from pipeline.quantization.search.run import run_search
from pipeline.quantization.search.trials.oracles import hyperparameters, make_oracle, trials_of
from pipeline.quantization.search.trials.quantizer_tuner import best_of
from pipeline.quantization.search.trials.runner import TrialRunner, measure_baseline
from tests.imports import ROOT
from tests.quantization.search.made_up_search import (
    ARCHITECTURE,
    WEIGHTS,
    ResizingTrainer,
    search_params,
)

LAYERS = network_layers("SimpleRNN")
COSTS = {"rnn": 98.25, "dense": 3.77}
ENERGY = load_params(ROOT / "params.yaml").energy


def plan(**changed):
    params = search_params(**changed)
    return params, plan_blocks(params, LAYERS, build_search_space(params, LAYERS), COSTS)


def run(**changed):
    searched, trainer = run_whole(**changed)
    return searched.tuners, trainer


def run_whole(**changed):
    params = search_params(**changed)
    blocks, costs = plan_search(params, ENERGY, ARCHITECTURE)
    trainer = ResizingTrainer()
    baseline = measure_baseline(trainer, WEIGHTS, costs, 16.0)
    runner = TrialRunner(params, trainer, costs, baseline, WEIGHTS, 16.0, Path("state"))
    alone = ProcessesParams(workers=1, worker_timeout_s=60.0)
    return run_search(runner, blocks, alone), trainer


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_without_blocks_there_is_one_with_every_layer():
    params, (block,) = plan(blocks=None, max_trials=7)
    assert block.layers == ("rnn", "dense")
    assert block.max_trials == 7
    assert block.combinations == np.prod([len(c.quantizers) for c in block.choices])
    assert planned_trials(params, block) == 7


@pytest.mark.parametrize(
    ("patterns", "schedule", "order"),
    [
        (["dense", "rnn"], "sequential", ["dense", "rnn"]),
        (["dense", "rnn"], "cost", ["rnn", "dense"]),
        (["rnn", "dense"], "cost", ["rnn", "dense"]),
    ],
)
def test_the_schedule_is_the_list_or_the_cost(patterns, schedule, order):
    _, blocks = plan(blocks=patterns, schedule_block=schedule)
    assert [block.pattern for block in blocks] == order
    assert [block.cost for block in blocks] == [COSTS[name] for name in order]


def test_trials_follow_the_cost_down_to_the_least():
    space = {"blocks": ["rnn", "dense"], "max_trials": 70, "limit": {"default": 14}}
    _, (rnn, dense) = plan(**space, block_min_trials=10)
    assert (rnn.max_trials, dense.max_trials) == (int(70 * 98.25 / 102.02), 4)
    assert dense.combinations == 4  # fewer than the ten that were asked for
    _, (rnn, dense) = plan(**space, block_min_trials=4)
    assert (rnn.max_trials, dense.max_trials) == (67, 4)
    _, (rnn, dense) = plan(**space, block_min_trials=1)
    assert (rnn.max_trials, dense.max_trials) == (67, 2)


def test_a_group_over_two_blocks_is_decided_in_each():
    limit = {"rnn|dense": 14}
    _, (rnn, dense) = plan(blocks=["rnn", "dense"], limit=limit)
    assert {c.name: c.tensors for c in rnn.choices}["rnn|dense_kernel_quantizer"] == ("rnn/kernel",)
    assert {c.name: c.tensors for c in dense.choices}["rnn|dense_kernel_quantizer"] == (
        "dense/kernel",
    )
    _, (both,) = plan(blocks=[".*"], limit=limit)
    assert both.choices[0].tensors == ("rnn/kernel", "dense/kernel")


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["rnn", "hidden"], r"search\.blocks: 'hidden': matches no layer; layers are rnn, dense"),
        (["rnn"], r"search\.blocks: layer dense: expected one pattern that matches it, found none"),
        (["rnn", "dense", "d"], r"layer dense: expected one pattern .* found 'dense' and 'd'"),
        (["rnn", "("], r"search\.blocks: '\(': not a regular expression"),
    ],
)
def test_patterns_that_do_not_divide_the_layers_are_refused(patterns, message):
    with pytest.raises(SearchSpaceError, match=message):
        group_layers(search_params(blocks=patterns), LAYERS)
    with pytest.raises(SearchSpaceError, match=message):
        plan_search(search_params(blocks=patterns), ENERGY, ARCHITECTURE)


def test_a_layer_that_is_not_searched_needs_no_pattern():
    groups = group_layers(search_params(blocks=["dense"], layer_indexes=[2]), LAYERS)
    assert [layer.name for layer in groups["dense"]] == ["dense"]


def test_the_plan_says_blocks_costs_trials_and_space():
    params, blocks = plan(
        blocks=["dense", "rnn"],
        schedule_block="cost",
        tune_filters="layer",
        filter_range=[0.5, 1.0],
    )
    text = describe(blocks, params)
    first, *rest = text.splitlines()
    assert first == (
        "block 1: rnn: rnn: 98.25 of 102.02 pJ in the reference, "
        f"10 trials of {blocks[0].combinations} combinations"
    )
    assert "  network_filters_rnn: 0.5, 1 of the units" in rest
    assert any(line.startswith("block 2: dense: dense: 3.77 of 102.02 pJ") for line in rest)
    assert any(
        line.startswith("  rnn_state_quantizer: rnn/state: quantized_relu(") for line in rest
    )


@pytest.mark.parametrize("mode", ["halving", "random", "bayesian", "hyperband"])
@pytest.mark.parametrize("epochs", [2, 3, 8, 9, 10, 26, 27, 28, 80, 81, 100, 243])
def test_the_planned_trials_are_those_that_the_oracle_asks_for(mode, epochs):
    params, (block,) = plan(mode=mode, epochs=epochs, max_trials=5, survivors=7, descents=3)
    space = hyperparameters(block.choices, params, block.filters)
    assert planned_trials(params, block) == trials_of(make_oracle(params, space, lambda _: 0.0))


def test_the_plan_of_hyperband_has_its_own_trials():
    params, blocks = plan(mode="hyperband", blocks=["rnn", "dense"], epochs=3)
    assert blocks[1].combinations == 1  # which a bracket trains a little, then on
    assert [planned_trials(params, block) for block in blocks] == [6, 2]


@pytest.mark.parametrize("mode", ["random", "bayesian", "hyperband"])
def test_the_best_of_a_block_is_carried_to_the_next(mode):
    tuners, trainer = run(
        mode=mode, blocks=["dense", "rnn"], schedule_block="cost", block_min_trials=4,
        tune_filters="layer", quantization_config=CONFIG, limit={"default": 14},
    )  # fmt: skip
    first, second = tuners
    best = best_of(first.records())
    assert {t.split("/")[0] for t in best.quantizers} == {"input", "rnn"}
    for record in second.records():
        assert set(record.quantizers) == set(quantized_tensors("SimpleRNN"))
        assert record.quantizers.items() >= best.quantizers.items()
        assert record.units == best.units
        assert record.trial.startswith("block2_")
    carried = first.weights(best.trial)["dense/bias"]
    count = len(first.records())
    if mode != "hyperband":
        for (start,) in trainer.started_from[count:]:
            np.testing.assert_array_equal(start["dense/bias"], carried)
    outcome = outcome_of(tuners)
    assert outcome.best in second.records()
    assert outcome.asked == len(outcome.records) == count + len(second.records())
    on_front = {row.trial for row in search_result(outcome, 58.3).front}
    assert on_front
    assert all(name.startswith("block2_") for name in on_front)


def test_another_list_of_uniform_networks_keeps_the_trials_and_has_its_own_points():
    first, trainer = run_whole(max_trials=2, uniform_bits=[5])
    assert [record.trial for record in first.points.records()] == ["uniform_5"]
    assert len(trainer.trained) == 3
    second, trainer = run_whole(max_trials=2, uniform_bits=[8, 5])
    assert [record.trial for record in second.points.records()] == ["uniform_8", "uniform_5"]
    assert trainer.trained == ["uniform_8", "uniform_5"]


CONFIG = {
    "kernel": {f"quantized_bits({n},0,0,alpha=1)": n for n in range(2, 12)},
    "recurrent_kernel": {f"quantized_bits({n},0,0,alpha=1)": n for n in range(2, 9)},
    "bias": {"quantized_bits(14,0,0,alpha=1)": 14},
    "activation": {"quantized_relu(8,0)": 8, "quantized_relu(10,0)": 10},
    "state": {"quantized_relu(8,0)": 8},
}


def test_costs_by_layer_add_up():
    for goal in ("energy", "bits"):
        costs = CostModel(ARCHITECTURE, ENERGY, goal)
        by_layer = costs.reference_by_layer()
        assert set(by_layer) == {"rnn", "dense"}
        whole = costs.reference()
        window = 5 * 8 if goal == "bits" else 0  # what enters belongs to no layer
        assert sum(by_layer.values()) + window == pytest.approx(whole)
