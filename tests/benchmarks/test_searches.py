"""The benchmark of searches: every variant is a search that starts; what a row says."""

from __future__ import annotations

import pytest

from benchmarks.searches import SEARCHES, best_forgiving_score, chosen, params_of
from pipeline.base.architecture import Architecture
from pipeline.params import parse_params
from pipeline.quantization.search.plan.plan import plan_search

QUANTIZERS = {
    "rnn/kernel": "quantized_bits(6,0,1,alpha='auto_po2')",
    "rnn/recurrent_kernel": "quantized_bits(5,0,1,alpha='auto_po2')",
    "rnn/state": "quantized_relu(8,0)",
}


def trial(name, **changes):
    row = {"trial": name, "units": 6, "quantizers": QUANTIZERS, "energy_nj": 0.05}
    return row | {"validation_rmse_mev": 50.0, "quality": 0.98, "delta": 0.1} | changes


@pytest.mark.parametrize("search", SEARCHES)
def test_every_search_can_be_planned(search):
    params = parse_params(params_of(search, seed=7, epochs=8, workers=1))
    architecture = Architecture(params.train.cell, params.train.units, 5)
    blocks, _ = plan_search(params.search, params.energy, architecture)
    assert len(blocks) == (2 if "blocks" in search else 1)
    assert (params.search.seed, params.search.epochs, params.search.first_epochs) == (7, 8, 2)
    assert params.search.uniform_bits == []


def test_a_row_is_that_of_the_chosen_trial():
    search = {
        "best": "1",
        "limit_met": False,
        "reference": {"validation_rmse_mev": 48.0},
        "trials": [trial("0", quality=2.0), trial("1")],
    }
    cells = chosen(search)
    assert cells[:4] == ["no", "6", "6 / 5 / 8", "50.0"]
    assert cells[6:] == ["50.00", "1.042", "2.200"]


def test_trials_of_earlier_blocks_have_no_score():
    partial = trial("block1_00", quality=9.0, quantizers={"dense/kernel": "quantized_bits(8,0,1)"})
    assert best_forgiving_score([partial, trial("0")]) == pytest.approx(0.98 * 1.1)
