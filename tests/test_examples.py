"""``examples/notebook.yaml``: the search of an AutoQKeras notebook, as its dictionaries stand."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from pipeline import search
from pipeline.base.architecture import Architecture
from pipeline.params import load_params, parse_params
from pipeline.quantization.search.plan.parameters import check_parameters, notes
from pipeline.quantization.search.plan.plan import plan_search
from tests.imports import ROOT
from tests.params.shipped import SHIPPED
from tests.workplace import make_trained_cell

NOTEBOOK = ROOT / "examples" / "notebook.yaml"
TREE: dict[str, Any] = YAML(typ="safe").load(NOTEBOOK.read_text(encoding="utf-8"))
# What the notebook says of these sections; all others are as shipped.
OWN_SECTIONS = {"train", "energy", "search", "finetune", "survey"}


def without_powers_of_two() -> dict[str, Any]:
    tree = copy.deepcopy(TREE)
    config = tree["search"]["quantization_config"]
    for kind, entries in config.items():
        config[kind] = {text: bits for text, bits in entries.items() if "po2(" not in text}
    return tree


def test_it_is_complete_and_differs_where_the_notebook_does():
    shipped = YAML(typ="safe").load(SHIPPED.read_text(encoding="utf-8"))
    assert set(TREE) == set(shipped)
    for section, values in shipped.items():
        assert set(TREE[section]) == set(values), section
        if section not in OWN_SECTIONS:
            assert TREE[section] == values, section


def test_it_is_valid_and_its_plan_passes():
    params = check_parameters(NOTEBOOK)
    assert params.search.goal.max_rmse_ratio is None
    assert (params.search.max_trials, params.search.epochs) == (20, 5)


def test_without_its_powers_of_two_it_is_valid_and_its_plan_passes():
    params = parse_params(without_powers_of_two())
    blocks, _ = plan_search(params.search, params.energy, Architecture("SimpleRNN", 8, 5))
    (block,) = blocks
    by_tensor = {tensor: choice for choice in block.choices for tensor in choice.tensors}
    # The state draws from the activation's list, within the activation's limit.
    state, activation = by_tensor["rnn/state"], by_tensor["rnn/activation"]
    assert list(state.quantizers) == list(activation.quantizers)
    assert block.filters == ("network_filters_rnn",)


def test_what_this_network_lacks_is_named():
    params = parse_params(without_powers_of_two())
    said = [line.split(": ")[0] for line in notes(params.search, params.train.cell)]
    assert said == [
        "search.quantization_config.linear",
        "search.limit.BatchNormalization",
        "search.limit.Activation",
    ]


def searched(tree: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    make_trained_cell(**tree["search"] | {"max_trials": 3, "epochs": 1})
    assert load_params().search.quantization_config == tree["search"]["quantization_config"]
    search.main()
    said = capsys.readouterr().err
    assert "search.limit.BatchNormalization: this network has none of these; left out" in said
    result: dict[str, Any] = json.loads(Path("models/search.json").read_text())
    return result


@pytest.mark.slow
def test_its_search_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    result = searched(TREE, capsys)
    assert len(result["trials"]) == 3
    assert result["limit_met"] is None
    for trial in result["trials"]:
        assert set(trial["quantizers"]) >= {"rnn/state", "rnn/activation", "dense/kernel"}


def test_the_command_in_its_header_is_that_of_the_page():
    command = "cp examples/notebook.yaml params.yaml && dvc exp run"
    assert command in NOTEBOOK.read_text(encoding="utf-8")
    assert command in (ROOT / "docs" / "from-autoqkeras.md").read_text(encoding="utf-8")


def test_it_is_written_as_dvc_writes_it(tmp_path):
    from dvc.utils.hydra import apply_overrides

    path = tmp_path / "params.yaml"
    path.write_text(NOTEBOOK.read_text(encoding="utf-8"), encoding="utf-8")
    apply_overrides(path, ["search.max_trials=21"])
    before, after = NOTEBOOK.read_text(encoding="utf-8"), path.read_text(encoding="utf-8")
    assert after == before.replace("max_trials: 20", "max_trials: 21")
    assert yaml.safe_load(after)["search"]["max_trials"] == 21
