"""DVC and the stage ``check``: a refused value costs no output, a good one reruns what uses it.

The graph is the shipped one; every other stage only writes its name into its outputs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.imports import ROOT

pytestmark = pytest.mark.slow

STUB = """
import sys
from pathlib import Path

with open("log.txt", "a") as log:
    log.write(sys.argv[1] + "\\n")
for out in map(Path, sys.argv[2:]):
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(sys.argv[1])
"""


def outputs(stage: dict[str, Any]) -> list[str]:
    entries = [*stage.get("outs", []), *stage.get("metrics", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        env=os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def ran() -> list[str]:
    log = Path("log.txt")
    stages = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return stages


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    for name in ("dvc.yaml", "params.yaml", "None", ".dvcignore"):
        shutil.copy2(ROOT / name, folder / name)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "pipeline", folder / "pipeline", ignore=ignored)
    (folder / "stub.py").write_text(STUB)
    yaml = YAML()
    graph = yaml.load(folder / "dvc.yaml")
    del graph["plots"]
    for name, stage in graph["stages"].items():
        if name != "check":
            stage["cmd"] = f"python stub.py {name} {' '.join(outputs(stage))}"
    yaml.dump(graph, folder / "dvc.yaml")
    (folder / ".gitignore").write_text("/log.txt\n__pycache__/\n")
    before = Path.cwd()
    os.chdir(folder)
    try:
        for command in ("git init -q", "git config user.email a@b.org", "git config user.name a"):
            assert run(*command.split()).returncode == 0
        for command in ("init -q", "repro -q"):
            result = run(sys.executable, "-m", "dvc", *command.split())
            assert result.returncode == 0, result.stderr
        assert len(ran()) == len(graph["stages"]) - 1
        run("git", "add", "-A")
        run("git", "commit", "-qm", "all")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def workplace(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    shutil.copy2(ROOT / "params.yaml", "params.yaml")
    run("git", "checkout", "-q", "dvc.lock", "metrics")
    run(sys.executable, "-m", "dvc", "checkout", "-q")
    ran()


def experiment(*changes: str) -> subprocess.CompletedProcess[str]:
    options = [word for change in changes for word in ("-S", change)]
    return run(sys.executable, "-m", "dvc", "exp", "run", *options)


def files() -> dict[str, bytes]:
    kept = [path for folder in ("data", "models", "metrics") for path in Path(folder).rglob("*")]
    return {str(path): path.read_bytes() for path in kept if path.is_file()}


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(
    "changes",
    [
        ("search.mode=foo",),
        ("search.input_quantizer=/dev/zero", "simulate.seed=2", "train.units=9"),
        ("energy.process=foo", "search.limit.Dense=[2,14,12]"),
    ],
)
def test_a_refused_value_costs_no_output(changes: tuple[str, ...]):
    before = files()
    assert len(before) > 30
    result = experiment(*changes)
    assert result.returncode != 0
    assert "error: params.yaml: " in result.stdout + result.stderr
    assert ran() == []
    assert files() == before


@pytest.mark.usefixtures("workplace")
def test_a_changed_parameter_reruns_its_stages_alone():
    result = experiment("implement.seed=2")
    assert result.returncode == 0, result.stderr
    assert "Running stage 'check'" in result.stdout
    assert ran() == ["implement"]
    assert experiment("processes.workers=1").returncode == 0
    assert ran() == []
