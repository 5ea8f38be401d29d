"""The stage ``candidates`` on a made-up search: what it writes, and what it refuses."""

from __future__ import annotations

import pytest

from pipeline import candidates
from pipeline.artifacts.candidates import Candidates
from pipeline.artifacts.search import SEARCH
from pipeline.base.architecture import network_shapes
from pipeline.base.errors import PipelineError
from pipeline.base.files import read_json, write_json
from pipeline.base.schema import read
from pipeline.base.weights import save_weights
from pipeline.quantization.finetuning.trials import SEARCH_WEIGHTS
from tests.quantization.quantizer_sets import random_weights
from tests.quantization.searched import search_content, trial_row
from tests.workplace import make_trained_cell, set_params


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Prepared data with windows of three samples, and a search of three networks."""
    monkeypatch.chdir(tmp_path)
    make_trained_cell()
    trials = [
        trial_row("00", units=3, energy_nj=0.02, on_front=True),
        trial_row("01", units=2, energy_nj=0.01, on_front=True),
    ]
    uniform = [trial_row("uniform_4", units=2)]
    write_json(SEARCH, search_content(trials, uniform))
    weights = {
        f"{row['trial']}/{tensor}": values
        for row in [*trials, *uniform]
        for tensor, values in random_weights(network_shapes("SimpleRNN", row["units"])).items()
    }
    save_weights(SEARCH_WEIGHTS, weights)
    set_params(survey={"points": 1, "uniform_bits": [4]})
    return tmp_path


def test_networks_of_the_front_and_uniform_ones_are_written_the_same_twice(workplace):
    candidates.main()
    written = candidates.CANDIDATES.read_bytes()
    first, second = read(Candidates, candidates.CANDIDATES).candidates
    assert (first.name, first.kind) == ("trial_01", "front")
    assert (second.name, second.kind) == ("uniform_4", "uniform")
    for network in (first.network, second.network):
        assert (network.window_length, network.et_scale_gev) == (3, 16.0)
        assert len(network.rnn.bias.integers) == 2
    candidates.main()
    assert candidates.CANDIDATES.read_bytes() == written


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_there_is_none_of_a_cell_without_exact_integers(workplace, cell):
    set_params(train={"cell": cell})
    candidates.main()
    assert read_json(candidates.CANDIDATES) == {"schema_version": 1, "candidates": []}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"points": ["07"]}, r"^survey\.points: 07: expected best or one of 00, 01, uniform_4"),
        ({"uniform_bits": [4, 8]}, r"^survey\.uniform_bits: uniform_8: expected .*uniform_4"),
    ],
)
def test_a_network_that_was_not_searched_is_refused(workplace, changed, message):
    set_params(survey=changed)
    with pytest.raises(PipelineError, match=message):
        candidates.main()
    assert not candidates.CANDIDATES.exists()


def test_a_trial_that_left_tensors_float_is_refused(workplace):
    search = read_json(SEARCH)
    del search["trials"][0]["quantizers"]["dense/kernel"]
    write_json(SEARCH, search)
    set_params(survey={"points": ["00"]})
    with pytest.raises(PipelineError, match=r"^survey\.points: 00: .*dense/kernel"):
        candidates.main()
    assert not candidates.CANDIDATES.exists()


def test_weights_of_other_networks_are_refused(workplace):
    save_weights(SEARCH_WEIGHTS, random_weights(network_shapes("SimpleRNN", 2)))
    with pytest.raises(PipelineError, match=r"search\.weights\.h5: expected tensors"):
        candidates.main()
    assert not candidates.CANDIDATES.exists()
