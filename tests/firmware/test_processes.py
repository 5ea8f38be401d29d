"""Programs that end, fail, hang or say too much."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.base.errors import PipelineError
from pipeline.firmware.processes import first_error, run_tool


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class ToolError(PipelineError):
    """What a caller wants to be raised."""


def run(code, work, timeout_s=20.0, environment=None):
    return run_tool(
        "the tool", [sys.executable, "-c", code], work, timeout_s, ToolError, environment
    )


def test_the_output_of_a_tool_that_ends_well(tmp_path):
    code = (
        "import os, sys; print(os.getcwd(), os.environ.get('WIDTH')); print('x', file=sys.stderr)"
    )
    assert run(code, tmp_path, None) == f"{tmp_path} {os.environ.get('WIDTH')}\n"
    assert run(code, tmp_path, environment={**os.environ, "WIDTH": "8"}) == f"{tmp_path} 8\n"


def test_a_tool_that_fails_is_quoted(tmp_path):
    code = "import sys; print('ERROR: no room'); sys.exit('late words')"
    with pytest.raises(ToolError) as caught:
        run(code, tmp_path)
    assert str(caught.value) == (
        "the tool failed with exit code 1: ERROR: no room; all of it: logs/tools/the-tool.log"
    )
    log = Path("logs/tools/the-tool.log").read_text()
    assert "ERROR: no room" in log
    assert "late words" in log


def test_a_tool_that_is_killed_says_by_what(tmp_path):
    code = "import os, signal; print('half', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(ToolError, match=r"^the tool was killed by SIGKILL: half; all of it: "):
        run(code, tmp_path)


def test_failures_of_one_name_at_once_each_say_why(tmp_path):
    """As when several networks are built side by side: they share one log."""
    code = "import sys; print('ERROR: no room'); sys.exit(1)"

    def fails(_: int) -> str:
        with pytest.raises(ToolError) as caught:
            run(code, tmp_path)
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        said = set(pool.map(fails, range(24)))
    assert said == {
        "the tool failed with exit code 1: ERROR: no room; all of it: logs/tools/the-tool.log"
    }


def test_a_log_that_cannot_be_kept_hides_no_reason(tmp_path):
    Path("logs").write_text("no folder")
    with pytest.raises(ToolError) as caught:
        run("import sys; print('ERROR: No space left on device'); sys.exit(1)", tmp_path)
    assert str(caught.value) == ("the tool failed with exit code 1: ERROR: No space left on device")


def test_a_tool_that_hangs_is_stopped(tmp_path):
    with pytest.raises(ToolError, match=r"^the tool took longer than 0\.2 s$"):
        run("import time; time.sleep(30)", tmp_path, 0.2)


@pytest.mark.slow
def test_what_a_stopped_tool_has_started_ends_with_it(tmp_path):
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(30)'])\n"
        "open('child', 'w').write(str(child.pid)); child.wait()"
    )
    with pytest.raises(ToolError, match="took longer"):
        run(code, tmp_path, 3.0)
    child = Path("/proc") / (tmp_path / "child").read_text() / "stat"
    for _ in range(100):
        if not child.exists() or child.read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("the child lives on")


def test_a_tool_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ToolError, match=r"^yosys cannot be started: .*: no_such_tool$"):
        run_tool("yosys", ["no_such_tool"], tmp_path, 1.0, ToolError)


def test_output_that_is_no_text_does_no_harm(tmp_path):
    assert (
        run("import sys; sys.stdout.buffer.write(b'\\xff')", tmp_path)
        == "\N{REPLACEMENT CHARACTER}"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1 error counted\nread t.v\nt.v:2: ERROR: syntax\nERROR: more", "t.v:2: ERROR: syntax"),
        ("%Error-WIDTH: t.v:3: too narrow\n%Error: Exiting", "%Error-WIDTH: t.v:3: too narrow"),
        ("a.cpp:3:1: error: nonsense", "a.cpp:3:1: error: nonsense"),
        ("Error (10228): two of a name", "Error (10228): two of a name"),
        ("-noerror: given\nTraceback\n  KeyError\n\n", "-noerror: given | Traceback | KeyError"),
        (
            "make: *** No rule to make target 'b', needed by 'c'.  Stop.\n"
            "%Error: make exited with 2",
            "make: *** No rule to make target 'b', needed by 'c'.  Stop. | "
            "%Error: make exited with 2",
        ),
        (
            "a\n/bin/sh: 1: ccache: not found\nmake: *** [x.o] Error 127",
            "/bin/sh: 1: ccache: not found",
        ),
        (
            "x.o: undefined reference to `f'\ncollect2: error: ld returned 1",
            "x.o: undefined reference to `f' | collect2: error: ld returned 1",
        ),
        (
            "File 'x.py'\nModuleNotFoundError: No module named 'y'",
            "ModuleNotFoundError: No module named 'y'",
        ),
        ("one\ntwo\nthree\nfour", "two | three | four"),
        ("\n", "no message"),
        ("ERROR: " + "x" * 400, "ERROR: " + "x" * 293),
    ],
)
def test_the_line_that_matters(text, line):
    assert first_error(text) == line
