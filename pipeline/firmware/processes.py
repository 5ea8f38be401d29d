"""Programs that are started with a limit; what went wrong becomes one line.

Each runs in a session of its own, so that it can be stopped with all that it has started. A
signal to the stage does not reach it: whoever ends early has to stop it, see `tools_stopped`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar

from pipeline.base.environment import tool_environment
from pipeline.base.errors import PipelineError
from pipeline.base.files import write_text

# How compilers, simulators and synthesisers begin the line that matters: "ERROR:",
# "%Error-WIDTH:", "a.cpp:3:1: error:", "Error (10228):". Shells, make and linkers have no such
# word where they name the reason; they are looked for first among the lines before it.
_ERROR = re.compile(r"\berror\b[^:]{0,40}:", re.IGNORECASE)
_REASON = re.compile(
    r"\*\*\* (?!.*Error \d)|not found|cannot |No such file|No space left|Permission denied"
    r"|undefined reference|multiple definition|out of memory|Killed|Segmentation fault"
    r"|\w+(Error|Exception): |terminate called",
)
_LONGEST = 300
_LAST_LINES = 3
LOGS = Path("logs/tools")
"""Where all that a failed tool has said is kept, from the working directory of the stage."""

Item = TypeVar("Item")
Made = TypeVar("Made")


class _Running:
    """The programs of all threads that run now."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.processes: set[subprocess.Popen[str]] = set()
        self.refused = 0  # blocks of `tools_stopped` that are under way


_RUNNING = _Running()


@contextmanager
def tools_stopped() -> Iterator[None]:
    """Stop the programs of all threads at once; while inside, none is started.

    For whoever waits for threads that run programs and cannot wait any longer: their
    `run_tool` fails, and so does each that they call after it.
    """
    with _RUNNING.lock:
        _RUNNING.refused += 1
        for process in _RUNNING.processes:
            _stop(process)
    try:
        yield
    finally:
        with _RUNNING.lock:
            _RUNNING.refused -= 1


def side_by_side(
    work: Callable[[Item], Made], items: Sequence[Item]
) -> Generator[Made, None, None]:
    """Do `work` for each item, for as many at once as there are processors; yields as they end.

    For work of which nearly all is done by programs that `run_tool` starts. Items start in
    their order, also when the rest is given up: one may wait for an earlier one.

    Raises
    ------
    Exception
        What `work` raises for the first item that fails; those not started yet never are, and
        the programs that run for others are stopped. So they are when the generator is closed.
    """
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    started: list[Future[Made]] = []
    try:
        for item in items:
            started.append(pool.submit(work, item))
        for done in as_completed(started):
            yield done.result()
    except BaseException:  # also Ctrl-C, and a consumer that wants no more
        with tools_stopped():
            for waiting in reversed(started):  # none starts without one before it
                waiting.cancel()
            pool.shutdown()
        raise
    pool.shutdown()


def run_tool(
    name: str,
    command: Sequence[str],
    work: Path,
    timeout_s: float | None,
    failure: type[PipelineError],
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end and return its standard output.

    Parameters
    ----------
    name
        What messages call it.
    command
        Program and arguments.
    work
        Directory to run in.
    timeout_s
        Seconds after which it is stopped; None waits.
    failure
        Class of the error.
    environment
        All its variables; see `pipeline.base.environment.tool_environment`, the default.

    Raises
    ------
    PipelineError
        Of class `failure`: naming the time, or the exit code, the reason as `first_error` finds
        it and the file with all that the program said; or that it is not there. What it has
        started is stopped with it.
    """
    with _RUNNING.lock:
        if _RUNNING.refused:
            raise failure(f"{name} was not started: the stage is being stopped")
        try:
            process = subprocess.Popen(
                list(command),
                cwd=work,
                env=tool_environment() if environment is None else environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise failure(f"{name} cannot be started: {error.strerror}: {command[0]}") from None
        _RUNNING.processes.add(process)
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except BaseException as problem:
        _stop(process)
        process.communicate()
        if isinstance(problem, subprocess.TimeoutExpired):
            raise failure(f"{name} took longer than {timeout_s:g} s") from None
        raise
    finally:
        with _RUNNING.lock:
            _RUNNING.processes.discard(process)
    if process.returncode != 0:
        said = f"{name} {_ended(process.returncode)}: " + first_error(f"{output}\n{errors}")
        with _RUNNING.lock:  # one at a time; what is stopped because another failed keeps none
            log = None if _RUNNING.refused else _keep(name, command, output, errors)
        raise failure(said if log is None else f"{said}; all of it: {log}")
    return output


def _ended(code: int) -> str:
    """Say how a program failed; below 0 is the signal that killed it."""
    if code >= 0:
        return f"failed with exit code {code}"
    known = {number.value: number.name for number in signal.Signals}
    return f"was killed by {known.get(-code, f'signal {-code}')}"


def _keep(name: str, command: Sequence[str], *texts: str) -> Path | None:
    """Write what a failed program has said; return where, or None where that is impossible."""
    log = LOGS / f"{re.sub('[^A-Za-z0-9]+', '-', name).strip('-').lower()[:60]}.log"
    try:
        write_text(log, "\n".join([shlex.join(command), *texts]))
    except OSError:  # a full disk, say, which may be the reason itself: it must not be lost
        return None
    return log


def _stop(process: subprocess.Popen[str]) -> None:
    """Kill a program and what it has started.

    Vendors' commands are scripts: the tool itself is a child, or a child of one.
    """
    if process.returncode is None:  # else its number may be another's by now
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def copied(files: Sequence[Path], directory: Path) -> list[str]:
    """Copy files side by side; return their names, which any tool can take in that directory.

    Raises
    ------
    PipelineError
        If two have one name.
    """
    names = [path.name for path in files]
    if len(set(names)) != len(names):
        raise PipelineError(f"expected files of different names, found {sorted(names)}")
    for path in files:
        shutil.copyfile(path, directory / path.name)
    return names


def first_error(text: str) -> str:
    """Return the line of a log that names the reason: one line of text, shortened.

    The first line with an error; after one of make, a shell or a linker if such a line stands
    before it, since that is the cause. Without any, the last three lines.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    error = next((place for place, line in enumerate(lines) if _ERROR.search(line)), len(lines))
    reason = next((line for line in lines[:error] if _REASON.search(line)), None)
    found = [reason] if reason is not None else []
    found += lines[error : error + 1]
    found = found or lines[-_LAST_LINES:] or ["no message"]
    return " | ".join(found)[:_LONGEST]
