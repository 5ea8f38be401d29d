"""``models/search.json``: which networks it names, and what is said where it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.artifacts.search import SearchResult
from pipeline.base.errors import PipelineError
from pipeline.base.files import ArtifactError, read_json, write_json
from pipeline.base.schema import read, write
from tests.quantization.searched import search_content, search_result, trial_row

TRIALS = [trial_row("07", units=5), trial_row("11", units=6)]
UNIFORM = [trial_row("uniform_8", units=4)]


@pytest.mark.parametrize(
    ("name", "trial", "units"),
    [
        ("best", "11", 6), ("07", "07", 5), (7, "07", 5), ("7", "07", 5),
        ("uniform_8", "uniform_8", 4),
    ],
)  # fmt: skip
def test_any_trial_of_the_search_can_be_named(name, trial, units):
    network = search_result(TRIALS, UNIFORM).network(name, "finetune.trial")
    assert (network.trial, network.units) == (trial, units)
    assert network.quantizers == TRIALS[0]["quantizers"]


@pytest.mark.parametrize("name", ["12", 12, "uniform", "block1_07"])
def test_a_trial_that_is_not_there_names_those_that_are(name):
    message = rf"finetune\.trial: {name}: expected best or one of 07, 11, uniform_8 .*search\.json"
    with pytest.raises(PipelineError, match=message):
        search_result(TRIALS, UNIFORM).network(name, "finetune.trial")


def test_the_front_begins_with_the_cheapest():
    rows = [
        trial_row("0", energy_nj=0.3, on_front=True),
        trial_row("1", energy_nj=0.1),
        trial_row("2", energy_nj=0.2, on_front=True),
        trial_row("3", energy_nj=0.2, on_front=True),
    ]
    assert [trial.trial for trial in search_result(rows).front] == ["2", "3", "0"]


def test_what_is_written_has_the_same_keys_and_numbers(tmp_path: Path):
    content = search_content([trial_row("0", score=0.1 + 0.2, continues="1", on_front=True)])
    write(tmp_path / "search.json", SearchResult.model_validate(content))
    assert read_json(tmp_path / "search.json") == content


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"trials": [{}]}, r"search\.json: trials\.0\.trial: Field required"),
        ({"trials": [trial_row("0")]}, r"search\.json: trials\.0\.on_front: Field required"),
        ({"uniform": None}, r"search\.json: uniform: .*list, found None"),
        ({"schema_version": 2}, r"search\.json: schema_version: "),
        ({"uniform": [trial_row("u", weight_bits="many")]}, r"uniform\.0\.weight_bits: .*'many'"),
        ({"reference": {}}, r"search\.json: reference\.validation_rmse_mev: Field required"),
    ],
)
def test_what_is_not_the_result_of_a_search_names_file_and_key(tmp_path, changed, message):
    write_json(tmp_path / "search.json", search_content(TRIALS) | changed)
    with pytest.raises(ArtifactError, match=message):
        read(SearchResult, tmp_path / "search.json")
