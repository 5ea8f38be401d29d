"""The code of `pipeline.params` is no dependency of any stage in dvc.yaml; the values are.

That is right as long as the code only refuses: what a stage reads must be what DVC has hashed.
So no field has a default, and no validator changes a value.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ruamel.yaml import YAML

from pipeline.params import Params, load_params
from tests.params.shipped import SHIPPED, changed, fields


def as_dvc_reads(path: Path) -> dict:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def kinds(tree: object) -> object:
    """Return the tree with kinds for values: Python takes True for 1."""
    if isinstance(tree, dict):
        return {key: kinds(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [kinds(value) for value in tree]
    return "number" if type(tree) in (int, float) else type(tree)


def check_kept(path: Path) -> None:
    written = as_dvc_reads(path)
    read = load_params(path).model_dump()
    assert read == written
    assert kinds(read) == kinds(written)
    for key in ("quantization_config", "limit"):  # here the order has a meaning
        assert list(read["search"][key].items()) == list(written["search"][key].items())


def test_the_shipped_values():
    check_kept(SHIPPED)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data.file", "  ./a//b/../my data.h5 "),
        ("evaluate.label", ""),
        ("evaluate.label", "⟨μ⟩ = {mu}, 'quoted': yes\n"),
        ("train.learning_rate", 1),
        ("train.learning_rate", 1e-05),
        ("train.min_delta", 5e-324),
        ("simulate.bunch_train", {"empty_bc": 39, "filled_bc": 72}),
        ("implement.families", ["ecp5", "xcup"]),
        ("search.filter_range", [2, 0.5, 1]),
        ("search.blocks", ["rnn", "dense"]),
        ("search.tune_filters_exceptions", "^dense$"),
        ("search.layer_indexes", [2, 1]),
        ("search.uniform_bits", [16, 4]),
        ("search.goal.max_rmse_ratio", None),
        ("search.limit", {"rnn": 8, "Dense": [8, ["quantized_bits(4)", "binary"], 12]}),
        (
            "search.quantization_config",
            {"state": {"quantized_relu(9)": 9, "binary": 8}, "kernel": {"ternary": 1}},
        ),
        (
            "search.quantization_config",
            {"state": ["ternary", "binary"], "kernel": {"binary()": 1}, "bias": []},
        ),
        ("finetune.trial", 14),
        ("finetune.trial", "14"),
        ("survey.points", ["14", 14, "best"]),
        ("survey.points", 0),
    ],
)
def test_other_values(tmp_path, key, value):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(changed(key, value), sort_keys=False), encoding="utf-8")
    check_kept(path)


def test_no_field_has_a_default():
    with_default = [key for key, field in fields(Params) if not field.is_required()]
    assert with_default == []
