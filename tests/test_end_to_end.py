"""The whole pipeline, as a user runs it, on a tiny configuration in a repository of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.imports import ROOT

pytestmark = pytest.mark.slow

TINY = {
    ("simulate", "n_bc"): 60_000,
    ("train", "epochs"): 3,
    ("search", "max_trials"): 2,
    ("search", "epochs"): 2,
    ("search", "first_epochs"): 1,
    ("search", "survivors"): 1,
    ("search", "descents"): 1,
    ("search", "uniform_bits"): [8],
    ("processes", "workers"): 1,
    ("finetune", "epochs"): 2,
    ("rtl", "stream_windows"): 2000,
    ("implement", "families"): ["ecp5"],
    ("implement", "netlist_windows"): 100,
    ("implement", "route"): False,
    ("survey", "points"): 1,
    ("survey", "uniform_bits"): [],
    ("survey", "family"): "ecp5",
    ("survey", "windows"): 500,
}
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
    }
    return subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )


def dvc(directory: Path, *arguments: str) -> str:
    result = run(directory, sys.executable, "-m", "dvc", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def stages_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def paths(stage: str, kind: str) -> set[str]:
    entries = STAGES[stage].get(kind, [])
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def dependants(stage: str) -> set[str]:
    """Stages after `stage` that read what it, or one of them, writes."""
    outs = paths(stage, "outs")
    direct = {other for other in STAGES if paths(other, "deps") & outs}
    return direct.union(*(dependants(other) for other in direct))


def content_of(path: Path) -> list[bytes]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [file.read_bytes() for file in files if file.is_file()]


def set_param(directory: Path, keys: tuple[str, ...], value: object) -> None:
    path = directory / "params.yaml"
    tree = yaml.safe_load(path.read_text())
    node = tree
    for key in keys[:-1]:
        node = node[key]
    assert keys[-1] in node
    node[keys[-1]] = value
    path.write_text(yaml.safe_dump(tree, sort_keys=False))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the tracked files as a repository of its own, run once."""
    directory = tmp_path_factory.mktemp("clone") / "project"
    tracked = run(ROOT, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    assert tracked.returncode == 0, tracked.stderr
    for name in filter(None, tracked.stdout.split("\0")):
        if (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, directory / name)
    (directory / "dvc.lock").unlink(missing_ok=True)
    for keys, value in TINY.items():
        set_param(directory, keys, value)
    assert run(directory, "git", "init", "--quiet").returncode == 0
    assert run(directory, "git", "add", "--all").returncode == 0
    assert run(directory, "git", "commit", "--quiet", "--message", "start").returncode == 0
    assert sorted(stages_run(dvc(directory, "repro"))) == sorted(STAGES)
    return directory


def test_every_metrics_file_is_finite(project):
    for path in sorted((project / "metrics").glob("*.json")):
        text = path.read_text()
        assert json.loads(text)
        assert "NaN" not in text
        assert "Infinity" not in text


def test_firmware_is_equal_to_the_network(project):
    firmware = json.loads((project / "metrics/firmware.json").read_text())
    test_windows = json.loads((project / "metrics/data.json").read_text())["windows"]["test"]
    for evaluator in ("golden", "vitis"):
        assert firmware[evaluator]["mismatches"] == 0
        assert firmware[evaluator]["windows"] == test_windows


def test_nothing_runs_again(project):
    assert stages_run(dvc(project, "repro")) == []


def test_forced_training_gives_the_same_bytes(project):
    """Firmware of equal networks is equal, which tests of HLS, RTL and netlists prove."""
    before = (project / "dvc.lock").read_text()
    forced = ["simulate", "prepare", "train", "search", "finetune", "candidates", "evaluate"]
    assert stages_run(dvc(project, "repro", "--force", "--single-item", *forced)) == forced
    assert (project / "dvc.lock").read_text() == before


def test_a_parameter_reruns_exactly_its_dependants(project):
    """Another network: another rate might end at the trial's own weights, as the first did."""
    set_param(project, ("finetune", "trial"), "uniform_8")
    changed = {"check", "finetune", *dependants("finetune")}
    assert set(stages_run(dvc(project, "repro"))) == changed


def test_bad_input_leaves_the_outputs_of_other_stages(project):
    before = (project / "params.yaml").read_bytes()
    outs = {
        path: content_of(project / path)
        for stage in STAGES
        if stage != "prepare"
        for path in paths(stage, "outs") | paths(stage, "metrics")
    }
    broken = project / "data/raw/broken.h5"
    broken.write_bytes((project / "data/raw/simulated.h5").read_bytes()[:10_000])
    try:
        set_param(project, ("data", "file"), "data/raw/broken.h5")
        result = run(project, sys.executable, "-m", "dvc", "repro")
    finally:
        (project / "params.yaml").write_bytes(before)
    assert result.returncode != 0
    assert "error: data/raw/broken.h5: " in result.stdout + result.stderr
    assert outs == {path: content_of(project / path) for path in outs}
    # prepare comes back from the run cache; check, a second, has no run cache
    assert stages_run(dvc(project, "repro")) == ["check"]


def test_plots_are_shown(project):
    dvc(project, "plots", "show", "--out", "plots")
    page = (project / "plots" / "index.html").read_text()
    for name in ("Training of the float network", "Trials of the search", "Residuals"):
        assert name in page


def test_bad_parameter_stops_with_one_line(project):
    before = (project / "params.yaml").read_bytes()
    kept = (project / "metrics/data.json").read_bytes()
    try:
        set_param(project, ("search", "input_quantizer"), "quantised_bits(8)")
        result = run(project, sys.executable, "-m", "pipeline.search")
    finally:
        (project / "params.yaml").write_bytes(before)
    assert result.returncode == 1
    (error,) = result.stderr.strip().splitlines()
    assert error.startswith("error: params.yaml: search.input_quantizer")
    assert (project / "metrics/data.json").read_bytes() == kept
