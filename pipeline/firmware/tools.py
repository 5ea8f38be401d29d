"""Programs that are started with a limit; what went wrong becomes one line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import PipelineError

# How compilers, simulators and synthesisers begin the line that matters: "ERROR:",
# "%Error-WIDTH:", "a.cpp:3:1: error:", "Error (10228):".
_ERROR = re.compile(r"\berror\b[^:]{0,40}:", re.IGNORECASE)
_LONGEST = 300


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
    try:
        output, errors = process.communicate(timeout=timeout_s)
    except BaseException as problem:
        # Vendors' commands are scripts: the tool itself is a child, or a child of one.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(problem, subprocess.TimeoutExpired):
            raise failure(f"{name} took longer than {timeout_s:g} s") from None
        raise
    if process.returncode != 0:
        said = first_error(output + errors)
        raise failure(f"{name} failed with exit code {process.returncode}: {said}")
    return output


def first_error(text: str) -> str:
    """Return the first line of a log that reports an error, else the last one; shortened."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    return (errors or lines[-1:] or ["no message"])[0][:_LONGEST]
