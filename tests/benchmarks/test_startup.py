"""What a stage imports is read from its script and measured in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess

import pytest

from benchmarks import startup
from tests.benchmarks.conftest import table

SOURCE = """
from __future__ import annotations
import json
def main():
    import colorsys as c
    from wave import Error
"""


def test_imports_inside_functions_are_told_from_those_at_the_top():
    assert startup.imports_of(SOURCE, top_only=True) == "import json"
    assert startup.imports_of(SOURCE, top_only=False).splitlines() == [
        "import json",
        "import colorsys as c",
        "from wave import Error",
    ]


def test_a_probe_says_what_was_loaded(monkeypatch):
    monkeypatch.setattr(startup, "HEAVY", ("colorsys", "wave"))
    seconds, loaded = startup.probe("import colorsys")
    assert loaded == ["colorsys"]
    assert 0 < seconds < 60


@pytest.mark.slow
def test_stages_get_two_rows(capsys):
    startup.main(["--no-dvc", "--repeats", "1", "--stages", "evaluate"])
    rows = table(capsys.readouterr().out)
    assert "matplotlib" in rows["evaluate: top of the script"][1]
    assert "tensorflow" not in rows["evaluate: all that it imports"][1]


@pytest.mark.parametrize(("status", "runs"), [({}, True), ({"train": ["changed deps"]}, False)])
def test_repro_is_never_timed_where_it_would_train(monkeypatch, capsys, status, runs):
    asked = []

    def run(command, **_):
        asked.append(command[3:])
        return subprocess.CompletedProcess(command, 0, json.dumps(status))

    monkeypatch.setattr(startup.subprocess, "run", run)
    monkeypatch.setattr(startup, "probe", lambda imports: (0.1, []))
    startup.main(["--repeats", "1", "--stages"])
    assert (["repro"] in asked) == runs
    row = table(capsys.readouterr().out)["dvc repro"][0]
    assert ("something has changed" in row) != runs
