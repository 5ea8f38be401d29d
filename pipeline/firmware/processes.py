"""Programs that are started with a limit; what went wrong becomes one line.

Each runs in a session of its own, so that it can be stopped with all that it has started. A
signal to the stage does not reach it: whoever ends early has to stop it, see `tools_stopped`.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar

from pipeline.base.errors import PipelineError

# How compilers, simulators and synthesisers begin the line that matters: "ERROR:",
# "%Error-WIDTH:", "a.cpp:3:1: error:", "Error (10228):".
_ERROR = re.compile(r"\berror\b[^:]{0,40}:", re.IGNORECASE)
_LONGEST = 300

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
    command, environment
        Program and arguments; variables, those of this process if left out.
    work
        Directory to run in.
    timeout_s
        Seconds after which it is stopped; None waits.
    failure
        Class of the error.

    Raises
    ------
    PipelineError
        Of class `failure`: naming the time, or the exit code and the program's first
        line with an error, its last line where none has one; or that it is not there.
        What it has started is stopped with it.
    """
    with _RUNNING.lock:
        if _RUNNING.refused:
            raise failure(f"{name} was not started: the stage is being stopped")
        try:
            process = subprocess.Popen(
                list(command),
                cwd=work,
                env=environment,
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
        said = first_error(output + errors)
        raise failure(f"{name} failed with exit code {process.returncode}: {said}")
    return output


def _stop(process: subprocess.Popen[str]) -> None:
    """Kill a program and what it has started.

    Vendors' commands are scripts: the tool itself is a child, or a child of one.
    """
    if process.returncode is None:  # else its number may be another's by now
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def first_error(text: str) -> str:
    """Return the first line of a log that reports an error, else the last one; shortened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    return (errors or lines[-1:] or ["no message"])[0][:_LONGEST]
