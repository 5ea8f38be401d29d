"""params.yaml and dvc.yaml are written as DVC writes them: what it changes is all that changes.

`dvc exp run -S` rewrites params.yaml: every list becomes a new block list, an empty value stands
for null, and comments that belong to a list are lost with it. `dvc freeze` and others rewrite
dvc.yaml.
"""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import modify_yaml
from ruamel.yaml import YAML

from tests.imports import ROOT
from tests.params.shipped import SHIPPED

TEXT = SHIPPED.read_text(encoding="utf-8")


def leaves(tree: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(tree, dict):
        return {prefix: tree}
    found: dict[str, object] = {}
    for key, value in tree.items():
        found |= leaves(value, f"{prefix}.{key}" if prefix else key)
    return found


VALUES = leaves(YAML(typ="safe").load(TEXT))
LISTS = {key: value for key, value in VALUES.items() if isinstance(value, list)}
# They may be lists, too.
MAY_BE_LISTS = {key for key, value in VALUES.items() if value is None} - {
    "search.tune_filters_exceptions", "search.goal.max_rmse_ratio"
} | {"survey.points"}  # fmt: skip


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def read(path: Path) -> dict[str, object]:
    return leaves(YAML(typ="safe").load(path.read_text(encoding="utf-8")))


def changed_lines(path: Path) -> list[str]:
    new = path.read_text(encoding="utf-8").splitlines()
    lines = [*unified_diff(TEXT.splitlines(), new, n=0, lineterm="")][2:]
    return [line for line in lines if not line.startswith("@@")]


def test_a_set_value_changes_one_line(shipped: Path):
    apply_overrides(shipped, ["search.max_trials=13"])
    old, new = changed_lines(shipped)
    assert old.startswith("-  max_trials: 24 ")
    assert new == old.replace("-  max_trials: 24", "+  max_trials: 13", 1)


@pytest.mark.parametrize("key", sorted(LISTS))
def test_a_list_can_be_emptied_and_filled_again(shipped: Path, key: str):
    apply_overrides(shipped, [f"{key}=[]"])
    assert read(shipped) == VALUES | {key: []}
    assert not [line for line in changed_lines(shipped) if "#" in line]
    apply_overrides(shipped, ["search.max_trials=13"])
    apply_overrides(shipped, [f"{key}=[3]"])
    assert read(shipped) == VALUES | {key: [3], "search.max_trials": 13}


@pytest.mark.parametrize("key", sorted(MAY_BE_LISTS))
def test_a_value_can_become_a_list_and_be_emptied(shipped: Path, key: str):
    apply_overrides(shipped, [f"{key}=[1,2]"])
    assert read(shipped) == VALUES | {key: [1, 2]}
    apply_overrides(shipped, [f"{key}=[]"])
    assert read(shipped) == VALUES | {key: []}


@pytest.mark.parametrize("value", ["[]", "null"])
def test_every_list_at_once(shipped: Path, value: str):
    for key in sorted({*LISTS, *MAY_BE_LISTS}):
        apply_overrides(shipped, [f"{key}={value}"])
    wanted = [] if value == "[]" else None
    assert read(shipped) == VALUES | dict.fromkeys({*LISTS, *MAY_BE_LISTS}, wanted)
    assert not [line for line in changed_lines(shipped) if "#" in line]


def test_quantizers_can_be_swept(shipped: Path):
    texts = ["binary(alpha='auto_po2')", "quantized_bits(4,0,1,alpha='auto_po2')"]
    key = "search.quantization_config.kernel"
    apply_overrides(shipped, [f'{key}=["{texts[0]}","{texts[1]}"]'])
    assert read(shipped) == VALUES | {key: texts}


def test_dvc_yaml_is_rewritten_as_it_is(tmp_path: Path):
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    path = tmp_path / "dvc.yaml"
    path.write_text(text, encoding="utf-8")
    with modify_yaml(path) as graph:
        graph["stages"]["simulate"]["frozen"] = True
    rewritten = path.read_text(encoding="utf-8")
    assert rewritten.replace("    frozen: true\n", "", 1) == text
