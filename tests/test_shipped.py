"""What is committed belongs together: code, parameters, dvc.lock and metrics; what reruns what."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.imports import ROOT

LOCK = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


@pytest.fixture
def copy(tmp_path):
    """Code, parameters and lock as they are here, without data."""
    for name in ("dvc.yaml", "dvc.lock", "params.yaml", ".dvcignore"):
        shutil.copy2(ROOT / name, tmp_path / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pipeline", tmp_path / "pipeline", ignore=ignored)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    return tmp_path


def stale(directory: Path) -> dict[str, list[str]]:
    """Code and parameters by stage that are not those of the lock."""
    result = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"],
        cwd=directory,
        env=os.environ | {"DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found: dict[str, list[str]] = {}
    for stage, changes in json.loads(result.stdout).items():
        names = {name for change in changes for name in change_names(change)}
        code = sorted(name for name in names if name.startswith(("pipeline/", "params.yaml")))
        if code:
            found[stage] = code
    return found


def change_names(change: Any) -> list[str]:
    return list(change.get("changed deps", {})) if isinstance(change, dict) else [str(change)]


def test_the_lock_is_of_this_code_and_these_parameters(copy):
    assert stale(copy) == {}


def test_the_lock_has_the_stages_of_the_graph_and_their_commands():
    assert {name: stage["cmd"] for name, stage in LOCK.items()} == {
        name: stage["cmd"] for name, stage in STAGES.items()
    }


def test_the_metrics_are_those_of_the_lock():
    metrics = {
        out["path"]: out["md5"]
        for stage in LOCK.values()
        for out in stage["outs"]
        if out["path"].startswith("metrics/") and out["path"].count("/") == 1
        if out["path"].endswith(".json")
    }
    assert set(metrics) == {str(p.relative_to(ROOT)) for p in ROOT.glob("metrics/*.json")}
    for path, md5 in metrics.items():
        assert hashlib.md5((ROOT / path).read_bytes()).hexdigest() == md5, path


@pytest.mark.parametrize(
    ("folder", "stages"),
    [("presentation", {"evaluate", "report"}), ("reports", {"report"})],
)
def test_how_things_look_reruns_no_stage_that_takes_minutes(copy, folder, stages):
    file = sorted((copy / "pipeline" / folder).glob("[a-z]*.py"))[0]
    file.write_text(file.read_text() + "\n# another colour\n")
    assert set(stale(copy)) == stages


@pytest.mark.parametrize(
    ("section", "stages"),
    [
        ("survey", set()),  # two stages share it key by key; test_dvc_yaml asks for a new one
        ("implement", {"implement"}),
        ("finetune", {"finetune"}),
        ("evaluate", {"evaluate"}),
        ("processes", set()),
    ],
)
def test_a_new_key_of_a_section_makes_only_its_stages_stale(copy, section, stages):
    """Its reader in `pipeline/params` changes as well, which reruns nothing.

    The check, which takes a second, reads all of them; its output stays as it is.
    """
    tree = yaml.safe_load((copy / "params.yaml").read_text())
    tree[section]["new_key"] = 1
    (copy / "params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))
    reader = copy / "pipeline" / "params" / "section.py"
    reader.write_text(reader.read_text() + "\n# a new field\n")
    assert set(stale(copy)) == stages | {"check"}


def test_tracked_metrics_do_not_depend_on_what_else_is_installed():
    """Icarus, GHDL and the vendors' tools report to the log."""
    text = "".join(path.read_text() for path in ROOT.glob("metrics/*.json")).lower()
    for tool in ("icarus", "ghdl", "vivado", "quartus_sh", "vitis_hls"):
        assert tool not in text
