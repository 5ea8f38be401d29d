"""Errors that a user can act on, and how a stage script reports them."""

from __future__ import annotations

import sys
from collections.abc import Callable

_INTERRUPTED = 130  # what a shell reports for Ctrl-C


class PipelineError(Exception):
    """One clear message: file or dotted key, what was expected, what was found."""


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage; a `PipelineError` becomes its message on stderr and exit code 1."""
    try:
        main()
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None
