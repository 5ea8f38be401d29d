"""``tune_filters`` and ``learning_rate_optimizer``: what they add and what a trial makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.params import ParamsError, load_params, parse_params
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.search.plan.space import (
    build_search_space,
    chosen_units,
    filter_names,
    network_layers,
)
from pipeline.quantization.search.trials.quantizer_tuner import QuantizationTuner
from pipeline.quantization.search.trials.runner import TrialRunner, measure_baseline
from pipeline.quantizers.quantizer import parse_quantizer
from tests.imports import ROOT
from tests.quantization.search.made_up_search import (
    ARCHITECTURE,
    WEIGHTS,
    ResizingTrainer,
    search_params,
)

LAYERS = network_layers("SimpleRNN")


def search(params, trainer, filters=None):
    costs = CostModel(ARCHITECTURE, load_params_energy(), params.goal.type)
    baseline = measure_baseline(trainer, WEIGHTS, costs, 16.0)
    tuner = QuantizationTuner(
        TrialRunner(params, trainer, costs, baseline, WEIGHTS, 16.0, Path("state/search")),
        build_search_space(params, LAYERS),
        filters=filter_names(params, LAYERS) if filters is None else filters,
    )
    tuner.search()
    return tuner


def load_params_energy():
    return load_params(ROOT / "params.yaml").energy


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("tune", "exceptions", "names"),
    [
        ("none", None, []),
        ("layer", None, ["network_filters_rnn"]),
        ("block", None, ["network_filters"]),
        ("layer", "dense", ["network_filters_rnn"]),
        ("layer", "^r", []),
        ("block", "x{2}", ["network_filters"]),
        ("block", "m", ["network_filters"]),
        ("block", ".n", []),
    ],
)
def test_which_widths_are_decided(tune, exceptions, names):
    params = search_params(tune_filters=tune, tune_filters_exceptions=exceptions)
    assert filter_names(params, LAYERS) == names


def test_the_width_is_the_factor_of_the_units():
    assert chosen_units({"network_filters_rnn": 0.75}, 8) == 6
    assert chosen_units({"network_filters": 1.5}, 8) == 12
    assert chosen_units({"rnn_kernel_quantizer": "x"}, 8) == 8


@pytest.mark.parametrize("tune", ["layer", "block"])
def test_trials_have_the_widths_of_the_range_and_start_from_weights_of_that_width(tune):
    trainer = ResizingTrainer()
    params = search_params(tune_filters=tune, max_trials=16, filter_range=[0.5, 1.0, 2.0])
    tuner = search(params, trainer)
    records = tuner.records()
    assert len(records) == 16
    assert {record.units for record in records} == {4, 8, 16}
    assert [s.units for s in trainer.settings] == [record.units for record in records]
    for record, (start,) in zip(records, trainer.started_from, strict=True):
        assert start["rnn/recurrent_kernel"].shape == (record.units, record.units)
        quantizers = {t: parse_quantizer(text, t) for t, text in record.quantizers.items()}
        energy = tuner.runner.costs.trial(quantizers, record.units).energy_nj
        assert record.energy_nj == energy
        assert tuner.weights(record.trial)["rnn/kernel"].shape == (1, record.units)
    # Once each, then from disk; at most a quarter of the units is lost at once.
    assert sorted(trainer.widths) == [4, 5, 6, 16]
    assert [width for width in trainer.widths if width < 8] == [6, 5, 4]


def test_without_it_every_trial_has_the_units_of_the_float_network():
    trainer = ResizingTrainer()
    tuner = search(search_params(tune_filters="none"), trainer)
    assert {record.units for record in tuner.records()} == {8}
    assert trainer.widths == []


def test_a_narrower_network_is_cheaper():
    costs = CostModel(ARCHITECTURE, load_params_energy(), "energy")
    found = [costs.trial({}, units).energy_nj for units in (4, 6, 8, 16)]
    assert found == sorted(found)
    assert costs.trial({}, 8) == costs.trial({})


def test_the_learning_rate_is_searched_among_five_factors():
    """np.linspace(delta_lr, 1.1, 5), delta_lr = trial cost / reference cost if that is below 1."""
    trainer = ResizingTrainer()
    params = search_params(learning_rate_optimizer=True, max_trials=30, learning_rate=0.01)
    tuner = search(params, trainer)
    factors = set()
    for record, settings in zip(tuner.records(), trainer.settings, strict=True):
        lowest = min(1.0, record.cost / tuner.runner.baseline.cost)
        position = (record.learning_rate / 0.01 - lowest) / (1.1 - lowest) * 4
        assert position == pytest.approx(round(position), abs=1e-9)
        assert settings.learning_rate == record.learning_rate
        factors.add(round(position))
    assert factors == {0, 1, 2, 3, 4}


def test_without_it_the_learning_rate_is_the_one_given():
    trainer = ResizingTrainer()
    search(search_params(learning_rate_optimizer=False, learning_rate=0.01), trainer)
    assert {settings.learning_rate for settings in trainer.settings} == {0.01}


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"tune_filters": "network"}, "search.tune_filters"),
        ({"tune_filters_exceptions": "("}, "tune_filters_exceptions"),
        ({"filter_range": []}, "search.filter_range"),
        ({"filter_range": [0.5, 0.0]}, "filter_range"),
        ({"filter_range": [0.5, 0.5]}, "filter_range"),
        ({"uniform_bits": [1]}, "uniform_bits"),
        ({"uniform_bits": [4, 4]}, "uniform_bits"),
        ({"blocks": []}, "blocks"),
        ({"schedule_block": "energy"}, "search.schedule_block"),
        ({"block_min_trials": 0}, "search.block_min_trials"),
    ],
)
def test_bad_values_are_refused(change, key):
    tree = load_params(ROOT / "params.yaml").model_dump()
    tree["search"] |= change
    with pytest.raises(ParamsError, match=key):
        parse_params(tree)
