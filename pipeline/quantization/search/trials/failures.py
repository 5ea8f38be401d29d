"""Why trials failed, in a file beside their records: a worker can tell its chief only that."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.base.files import write_text


@contextmanager
def reason_kept(directory: Path, name: str) -> Iterator[None]:
    """Write what an exception in the block says of trial `name`; forget it where there is none.

    The exception goes on. An interrupt is no failure.
    """
    file = _file(directory, name)
    try:
        yield
    except Exception:
        write_text(file, traceback.format_exc())
        raise
    file.unlink(missing_ok=True)


def reason(directory: Path, name: str, otherwise: str | None = None) -> str:
    """Return the last line of why a trial failed.

    Parameters
    ----------
    directory, name
        Where its record would be, and under which name.
    otherwise
        What is known of a trial that left no such file.
    """
    file = _file(directory, name)
    text = file.read_text(encoding="utf-8") if file.exists() else otherwise
    return (text or "no message").strip().splitlines()[-1]


def _file(directory: Path, name: str) -> Path:
    return directory / f"failure_{name}.txt"
