"""Errors that a user can act on, and how a stage script reports them."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

_INTERRUPTED = 130  # what a shell reports for Ctrl-C
_TERMINATED = 143  # and for SIGTERM


class PipelineError(Exception):
    """One clear message: file or dotted key, what was expected, what was found."""


class Problems:
    """What several independent checks found, to be told at once: a line each, none twice."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep the message of a `PipelineError` raised inside, and go on behind it."""
        try:
            yield
        except PipelineError as error:
            self._lines |= dict.fromkeys(str(error).splitlines())

    @property
    def lines(self) -> list[str]:
        """All that was found."""
        return [*self._lines]

    def raise_as(self, kind: type[PipelineError]) -> None:
        """Raise all that was found as one error, if anything was."""
        if self._lines:
            raise kind("\n".join(self._lines))


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage; a `PipelineError` becomes its message on stderr and exit code 1.

    Ctrl-C and SIGTERM end it like an exception, so that what it has started ends with it,
    and give the exit codes that a shell reports for them.
    """
    try:
        with _termination_raised():
            main()
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except _TerminatedError:
        print("terminated", file=sys.stderr)
        raise SystemExit(_TERMINATED) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM; whoever cleans up after Ctrl-C does so after this."""


def one_line(error: Exception) -> str:
    """Return the message of an exception as one line."""
    return " ".join(str(error).split())


def say(*lines: str) -> None:
    """Tell whoever watches what a stage has come to: lines on stderr, above progress bars."""
    for line in lines:
        tqdm.write(line, file=sys.stderr)


@contextmanager
def _termination_raised() -> Iterator[None]:
    """Raise SIGTERM as an exception in the main thread, which alone can take signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: object) -> None:
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
