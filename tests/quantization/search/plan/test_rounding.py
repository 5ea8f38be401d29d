"""Rounding of values between layers, from the parameters to the quantizers of a trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.architecture import Architecture
from pipeline.params import load_params
from pipeline.params.energy import EnergyParams
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.search.plan.plan import plan_search
from pipeline.quantization.search.plan.space import SearchSpaceError, declared_bits
from pipeline.quantization.search.plan.uniform import uniform_networks
from pipeline.quantization.search.results import outcome_of, search_result
from pipeline.quantization.search.trials.quantizer_tuner import QuantizationTuner
from pipeline.quantization.search.trials.runner import TrialRunner, measure_baseline
from pipeline.quantizers.hardware import activation_type, rounds_state_once
from tests.imports import ROOT
from tests.quantization.search.made_up_search import (
    ARCHITECTURE,
    WEIGHTS,
    MadeUpTrainer,
    search_params,
)

ENERGY: EnergyParams = load_params(ROOT / "params.yaml").energy
HALF_UP: dict[str, Any] = {"rounding": "half_up"}
ONCE: dict[str, Any] = {"round_state_once": True}
VALUES = ("rnn/activation", "rnn/state", "dense/activation")


def decided(**changed: Any) -> dict[str, list[str]]:
    """What a search may choose, by tensor."""
    (block,), _ = plan_search(search_params(**changed), ENERGY, ARCHITECTURE)
    found = [(tensor, choice) for choice in block.choices for tensor in choice.tensors]
    assert len(dict(found)) == len(found)
    return {tensor: [q.text for q in choice.quantizers.values()] for tensor, choice in found}


def refused(cell: str = "SimpleRNN", **changed: Any) -> list[str]:
    with pytest.raises(SearchSpaceError) as caught:
        plan_search(search_params(**changed), ENERGY, Architecture(cell, 8, 5))  # type: ignore[arg-type]
    return str(caught.value).splitlines()


def searched(directory: Path, **changed: Any):
    """A finished search of made-up losses, as it is written."""
    params = search_params(max_trials=4, **changed)
    (block,), costs = plan_search(params, ENERGY, ARCHITECTURE)
    trainer = MadeUpTrainer()
    baseline = measure_baseline(trainer, WEIGHTS, costs, 16.0)  # type: ignore[arg-type]
    runner = TrialRunner(params, trainer, costs, baseline, WEIGHTS, 16.0, directory)  # type: ignore[arg-type]
    tuner = QuantizationTuner(runner, block.choices, block.filters)
    tuner.search()
    return search_result(outcome_of([tuner]), 58.0)


def test_half_up_is_of_values_between_layers_and_of_nothing_else():
    even, up = decided(), decided(**HALF_UP)
    assert set(even) == set(up)
    for tensor, texts in even.items():
        if tensor in VALUES:
            assert up[tensor] == [text.replace(")", ",rounding='half_up')") for text in texts]
        else:
            assert up[tensor] == texts


def test_a_quantizer_that_says_its_rounding_keeps_it():
    config = declared_bits(search_params())
    config["state"] = {
        "quantized_relu(8,0,rounding='half_even')": 8,
        "quantized_relu(9,0,rounding='half_up')": 9,
        "quantized_relu(10,0)": 10,
    }
    assert decided(quantization_config=config)["rnn/state"] == list(config["state"])
    *kept, last = decided(quantization_config=config, **HALF_UP)["rnn/state"]
    assert kept == list(config["state"])[:2]
    assert last == "quantized_relu(10,0,rounding='half_up')"


def test_with_one_rounding_the_state_decides_the_activation_too():
    twice, once = decided(), decided(**ONCE)
    named = [text.replace(")", ",rounding='half_even')") for text in twice["rnn/state"]]
    assert once["rnn/activation"] == once["rnn/state"] == named
    assert twice["rnn/activation"] != twice["rnn/state"]
    assert all(once[tensor] == twice[tensor] for tensor in set(once) - set(VALUES[:2]))
    (block,), _ = plan_search(search_params(), ENERGY, ARCHITECTURE)
    (smaller,), _ = plan_search(search_params(**ONCE), ENERGY, ARCHITECTURE)
    assert smaller.combinations * len(twice["rnn/activation"]) == block.combinations


def test_layers_that_share_a_decision_lose_only_the_activation_of_the_recurrent_one():
    limit = {"rnn|dense": 12}
    config = declared_bits(search_params()) | {"bias": {"quantized_bits(8,0,0,alpha=1)": 8}}
    params = search_params(limit=limit, quantization_config=config, **ONCE)
    (block,), _ = plan_search(params, ENERGY, ARCHITECTURE)
    tensors = {choice.name: choice.tensors for choice in block.choices}
    assert tensors["rnn|dense_activation_quantizer"] == ("dense/activation",)
    assert tensors["rnn|dense_state_quantizer"] == ("rnn/state", "rnn/activation")


@pytest.mark.parametrize("changed", [{}, HALF_UP, ONCE, HALF_UP | ONCE], ids=str)
def test_every_trial_and_its_file_say_how_it_is_rounded(tmp_path, changed):
    result = searched(tmp_path, **changed)
    assert len(result.trials) == 4
    written, equal = json.loads(result.model_dump_json()), 0
    for trial in [written, *written["trials"]]:
        texts = trial["quantizers"]
        up = {tensor for tensor, text in texts.items() if "half_up" in text}
        assert up == (set(VALUES) if "rounding" in changed else set())
        equal += texts["rnn/activation"] == texts["rnn/state"]
    assert (equal == 5) == ("round_state_once" in changed)


@pytest.mark.parametrize("bits", [4, 16])
def test_uniform_networks_round_as_the_search_does(bits):
    def points(**changed: Any):
        return uniform_networks(search_params(uniform_bits=[bits], **changed), ARCHITECTURE)[bits]

    even, up, once = points(), points(**HALF_UP), points(**HALF_UP | ONCE)
    for tensor in even:
        assert up[tensor].half_up == (tensor in VALUES)
        assert (up[tensor].text != even[tensor].text) == (tensor in VALUES)
    assert once["rnn/activation"] == once["rnn/state"] == up["rnn/state"]
    assert rounds_state_once(once)
    assert rounds_state_once(points(**ONCE))
    assert not rounds_state_once(even)
    assert once["rnn/state"].bits == bits
    kinds = [activation_type(once[tensor], tensor) for tensor in VALUES]
    assert {kind.rounding for kind in kinds} == {"RND"}


def test_energy_does_not_depend_on_where_a_tie_goes():
    costs = CostModel(ARCHITECTURE, ENERGY, "energy")
    params = [search_params(uniform_bits=[8], **changed) for changed in ({}, HALF_UP)]
    even, up = (costs.trial(uniform_networks(p, ARCHITECTURE)[8]) for p in params)
    assert even == up


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_a_cell_with_gates_is_refused_in_one_line_a_parameter(cell):
    (line,) = refused(cell, **HALF_UP)
    assert line.startswith(
        f"search.rounding: half_up: expected half_even for a cell of type {cell}"
    )
    (line,) = refused(cell, **ONCE)
    assert line.startswith(
        f"search.round_state_once: true: expected false for a cell of type {cell}"
    )
    assert len(refused(cell, uniform_bits=[4, 8], **HALF_UP, **ONCE)) == 2


@pytest.mark.parametrize("tensor", ["rnn/state", "input"])
def test_a_cell_with_gates_has_no_quantizer_that_rounds_half_up(tensor):
    text = "quantized_bits(14,1,0,alpha=1,rounding='half_up')"
    changed: dict[str, Any] = {"input_quantizer": text}
    where = "search.input_quantizer"
    if tensor == "rnn/state":
        where = "search.quantization_config: rnn/state"
        config = load_params(ROOT / "params.yaml").search.quantization_config
        state = {**declared_bits(search_params())["state"], text: 14}
        limit = search_params().limit["LSTM"]
        assert isinstance(limit, list)
        changed = {
            "quantization_config": {**config, "state": state},
            "limit": {**search_params().limit, "LSTM": [*limit[:4], [text], *limit[5:]]},
        }
    (line,) = refused("LSTM", **changed)
    assert line.startswith(f"{where}: {text}: rounding half up is for a SimpleRNN; ")


def test_a_weight_has_no_rounding():
    text = "quantized_bits(6,0,0,alpha=1,rounding='half_up')"
    config = declared_bits(search_params()) | {"kernel": {text: 6}}
    limit = {"SimpleRNN": 14, "Dense": 14}
    lines = refused(quantization_config=config, limit=limit)
    assert lines == [
        f"{tensor}: {text}: rounding is of values between layers; expected a weight's quantizer "
        "without rounding"
        for tensor in ("rnn/kernel", "dense/kernel")
    ]


def test_a_state_of_both_signs_cannot_be_the_activation_too():
    signed = "quantized_bits(9,0,0,alpha=1)"
    config = declared_bits(search_params()) | {"state": {"quantized_relu(8,0)": 8, signed: 9}}
    decided(quantization_config=config, **HALF_UP)
    (line,) = refused(quantization_config=config, **ONCE)
    assert line.startswith(f"search.round_state_once: rnn/state: {signed}: expected quantizers ")
