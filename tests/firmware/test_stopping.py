"""A stage that is stopped takes its tools with it, in whatever thread they run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from pipeline.base.errors import PipelineError
from pipeline.firmware.processes import run_tool, tools_stopped
from tests.imports import ROOT

# Two threads run a script that starts a program of its own, as a vendor's command would. Its
# numbers are there whole or not at all: it may be stopped at any moment.
STAGE = """
import os, signal, subprocess, sys, time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from pipeline.base.errors import PipelineError, run_stage
from pipeline.firmware.survey import survey as module
from pipeline.firmware.processes import run_tool

TOOL = (
    "import os, subprocess, sys\\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\\n"
    "open(f'part_{os.getpid()}', 'w').write(f'{os.getpid()} {child.pid}')\\n"
    "os.replace(f'part_{os.getpid()}', f'pids_{os.getpid()}')\\n"
    "child.wait()"
)

def survey(subject, *how):
    if subject.name == "fails":
        while not list(Path().glob("pids_*")):
            time.sleep(0.01)
        raise PipelineError("no such network")
    run_tool("the tool", [sys.executable, "-c", TOOL], Path(), None, PipelineError)
    run_tool("one more", [sys.executable, "-c", TOOL], Path(), None, PipelineError)

def main():
    subjects = [SimpleNamespace(name=name, weight_bits=1) for name in sys.argv[1:]]
    with closing(module.survey_all(subjects, None, None, None, None)) as found:
        list(found)

# Ignored by what a shell starts in the background, and so by the tests and by this.
signal.signal(signal.SIGINT, signal.default_int_handler)
module.survey = survey
os.sched_getaffinity = lambda _: {0, 1}
run_stage(main)
"""


def started(directory: Path, tools: int) -> list[int]:
    """Wait for the processes of so many tools to be there; return their numbers."""
    for _ in range(1200):
        texts = [path.read_text() for path in directory.glob("pids_*")]
        if len(texts) >= tools:
            return [int(word) for text in texts for word in text.split()]
        time.sleep(0.05)
    raise AssertionError("the tools do not start")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def all_gone(pids: list[int]) -> bool:
    for _ in range(200):
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


@contextmanager
def stage_of(directory: Path, *subjects: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", STAGE, *subjects],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as stage:
        try:
            yield stage
        finally:
            stage.kill()  # only one that a failed test left behind is still there


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_survey_that_is_stopped_ends_at_once_with_all_its_tools(tmp_path, number, code, said):
    with stage_of(tmp_path, "a", "b", "c") as stage:
        pids = started(tmp_path, 2)
        stage.send_signal(number)
        _, errors = stage.communicate(timeout=30)
    assert (stage.returncode, errors) == (code, f"{said}\n")
    assert all_gone(pids)
    assert len(list(tmp_path.glob("pids_*"))) == 2  # no tool was started after it


def test_a_network_that_fails_stops_the_tools_of_the_others(tmp_path):
    with stage_of(tmp_path, "fails", "b") as stage:
        pids = started(tmp_path, 1)
        _, errors = stage.communicate(timeout=30)
    assert (stage.returncode, errors) == (1, "error: no such network\n")
    assert all_gone(pids)


def test_while_tools_are_stopped_none_starts_and_afterwards_they_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failures = []

    def work() -> None:
        try:
            run_tool("the tool", ["sleep", "60"], tmp_path, None, PipelineError)
        except PipelineError as error:
            failures.append(str(error))

    thread = Thread(target=work)
    thread.start()
    time.sleep(0.5)
    with tools_stopped():
        thread.join(timeout=20)
        assert not thread.is_alive()
        with pytest.raises(PipelineError, match="echo was not started: the stage is being stopped"):
            run_tool("echo", ["echo", "a"], tmp_path, None, PipelineError)
    # What another failure has stopped keeps no log, which may be that of the failure.
    assert failures == ["the tool was killed by SIGKILL: no message"]
    assert not Path("logs/tools/the-tool.log").exists()
    assert run_tool("echo", ["echo", "a"], tmp_path, None, PipelineError) == "a\n"
