"""Settings of ``search`` do what they say: seen in what is trained, or by hand in the score."""

from __future__ import annotations

from math import log, sqrt
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.architecture import quantized_tensors
from tests.quantization.search.made_up_search import (
    REFERENCE_LOSS,
    MadeUpTrainer,
    search,
    search_params,
)

GOAL: dict[str, Any] = {
    "type": "energy", "delta_p": 8.0, "delta_n": 8.0, "rate": 2.0, "stress": 1.0,
    "max_rmse_ratio": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def scores(**goal: Any) -> dict[str, tuple[float, float, float]]:
    """Score, cost and loss by trial; what is drawn does not depend on the goal."""
    tuner = search(search_params(max_trials=12, goal=GOAL | goal), directory=Path("s", str(goal)))
    return {
        record.trial: (
            record.score,
            record.cost / tuner.runner.baseline.cost,
            float(tuner.weights(record.trial)["dense/bias"][0]),
        )
        for record in tuner.records()
    }


@pytest.mark.parametrize(
    ("goal", "percent_cheaper", "percent_dearer", "rate", "stress"),
    [
        ({}, 8, 8, 2, 1),
        ({"delta_p": 30.0}, 30, 8, 2, 1),
        ({"delta_n": 1.0}, 8, 1, 2, 1),
        ({"rate": 10.0}, 8, 8, 10, 1),
        ({"stress": 0.8}, 8, 8, 2, 0.8),
    ],
)
def test_the_score_by_hand(goal, percent_cheaper, percent_dearer, rate, stress):
    cheaper = 0
    for found, cost, loss in scores(**goal).values():
        percent = percent_cheaper if cost < stress else percent_dearer
        cheaper += cost < stress
        factor = 1 + percent / 100 * log(stress / cost) / log(rate)
        assert found == pytest.approx(sqrt(REFERENCE_LOSS / loss) * factor)
    assert 0 < cheaper < 12


def test_with_the_goal_bits_the_reference_and_the_trials_are_counted_in_bits():
    """In the reference 8 bits for 89 weights, five samples, eight states, eight outputs of
    the recurrent layer, and a sum of 32 bits for the answer."""
    tuner = search(search_params(max_trials=4, goal=GOAL | {"type": "bits"}))
    assert tuner.runner.baseline.cost == (89 + 5 + 8 + 8) * 8 + 32
    for record in tuner.records():
        bits = {t: int(text.split("(")[1].split(",")[0]) for t, text in record.quantizers.items()}
        counts = {
            "input": 5, "rnn/kernel": 8, "rnn/recurrent_kernel": 64, "rnn/bias": 8,
            "rnn/activation": 8, "rnn/state": 8, "dense/kernel": 8, "dense/bias": 1,
            "dense/activation": 1,
        }  # fmt: skip
        assert record.cost == sum(counts[tensor] * bits[tensor] for tensor in counts)


@pytest.mark.parametrize("setting", [{"batch_size": 17}, {"learning_rate": 0.0625}])
def test_batch_size_and_learning_rate_reach_the_trainer(setting):
    trainer = MadeUpTrainer()
    search(search_params(max_trials=2, **setting), trainer)
    ((name, value),) = setting.items()
    assert [getattr(made, name) for made in trainer.settings] == [value, value]


def test_every_trial_has_the_quantizer_of_the_input():
    text = "quantized_bits(9,1,0,alpha=1)"
    tuner = search(search_params(max_trials=2, input_quantizer=text))
    assert {record.quantizers["input"] for record in tuner.records()} == {text}
    default = search(search_params(max_trials=2), directory=Path("other/search"))
    pairs = zip(tuner.records(), default.records(), strict=True)
    assert all(narrow.cost < wide.cost for narrow, wide in pairs)  # 9 bits instead of 11


@pytest.mark.parametrize(("index", "layer"), [(1, "rnn"), (2, "dense")])
def test_layers_that_layer_indexes_leaves_out_stay_float(index, layer):
    expected = [t for t in quantized_tensors("SimpleRNN") if t.split("/")[0] in ("input", layer)]
    for record in search(search_params(max_trials=1, layer_indexes=[index])).records():
        assert sorted(record.quantizers) == sorted(expected)
