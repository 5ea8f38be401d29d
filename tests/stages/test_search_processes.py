"""The search as real processes: killed in the middle, and shared by two workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.base.files import read_json
from tests.imports import ROOT
from tests.workplace import make_trained_cell

pytestmark = pytest.mark.slow

DRIVER = ROOT / "tests" / "stages" / "search_driver.py"
PATIENCE_S = 300.0
WRITTEN = ["metrics/search.json", "models/search.json", "models/search.weights.h5"]
TRAINED = [*(f"trial {n}" for n in range(4)), "uniform_6", "uniform_9"]


def start(folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", str(DRIVER)]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors.decode()


def workplace(folder: Path, monkeypatch, **changed) -> Path:
    folder.mkdir()
    monkeypatch.chdir(folder)
    make_trained_cell(
        **{"max_trials": 4, "uniform_bits": [6, 9], "tune_filters": "layer", **changed}
    )
    return folder


def trained(folder: Path) -> list[str]:
    lines = (folder / "trained.log").read_text().splitlines()
    labels = [line.split(" ", 1)[1] for line in lines]
    return [label for label in labels if label.startswith(("trial ", "uniform_"))]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = workplace(tmp_path_factory.mktemp("alone") / "cell", patch)
        finish(start(folder))
    assert trained(folder) == TRAINED
    return {name: (folder / name).read_bytes() for name in WRITTEN}


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_in_the_middle_and_started_again(tmp_path, monkeypatch, undisturbed, workers):
    """With workers it is their chief that is killed."""
    folder = workplace(tmp_path / "cell", monkeypatch, workers=workers)
    kill_once_recorded(folder, "1")
    assert len(trained(folder)) < len(TRAINED)
    finish(start(folder))
    assert sorted(trained(folder)) == TRAINED
    assert {name: (folder / name).read_bytes() for name in WRITTEN} == undisturbed
    (kept,) = folder.glob(".search/*")  # a random search can be extended
    assert (kept / "finished.txt").exists()


def kill_once_recorded(folder: Path, trial: str) -> None:
    """Start a search and kill it as soon as a trial is recorded."""
    process = start(folder)
    deadline = time.monotonic() + PATIENCE_S
    while not list(folder.glob(f".search/*/trials/record_{trial}.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.communicate()  # until its workers are gone, too


HALVING = {
    "mode": "halving", "epochs": 3, "first_epochs": 1, "survivors": 2, "descents": 1,
    "uniform_bits": [],
}  # fmt: skip


def test_halving_killed_among_the_survivors_and_started_again(tmp_path, monkeypatch):
    """Trials 4 and 5 go on with two of the first four; trial 6 is a step from the best."""
    alone = workplace(tmp_path / "alone", monkeypatch, **HALVING)
    finish(start(alone))
    all_trials = [f"trial {n}" for n in range(7)]
    assert trained(alone) == all_trials
    folder = workplace(tmp_path / "cell", monkeypatch, **HALVING)
    kill_once_recorded(folder, "4")
    finish(start(folder))
    assert trained(folder) == all_trials
    for name in WRITTEN:
        assert (folder / name).read_bytes() == (alone / name).read_bytes()


def test_two_workers_share_a_search_and_one_may_die(tmp_path, monkeypatch, undisturbed):
    """Every trial once, and the very files that one process writes."""
    folder = workplace(tmp_path / "cell", monkeypatch, workers=2)
    (folder / "die.txt").write_text("worker1")
    process = start(folder)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors.decode()
    assert sorted(trained(folder)) == TRAINED
    names = {line.split()[0] for line in (folder / "trained.log").read_text().splitlines()}
    assert "worker0" in names
    if not (folder / "die.txt").exists():  # it got as far as a trial of its own
        assert b"worker worker1 is gone; trial" in errors
        assert "worker1" not in names
    for name in WRITTEN:
        assert (folder / name).read_bytes() == undisturbed[name]
    assert read_json(folder / "metrics/search.json")["trials_completed"] == 4


def test_a_proxy_and_left_over_variables_reach_no_worker(tmp_path, monkeypatch, undisturbed):
    for name in ("http_proxy", "HTTPS_PROXY", "all_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("PIPELINE_SEARCH_PARENT", "1@2")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    folder = workplace(tmp_path / "cell", monkeypatch, workers=2)
    finish(start(folder))
    assert {name: (folder / name).read_bytes() for name in WRITTEN} == undisturbed
