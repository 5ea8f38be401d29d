"""How artifacts look on disk: text, JSON and tables.

Every write goes to a temporary
file beside the target, is flushed to disk and renamed, so a killed stage leaves
either the old file or the new one. No file carries a time, a host name or an
absolute path: the same content gives the same bytes.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.base.errors import PipelineError

Cell = float | int | str
Columns = Mapping[str, Sequence[Cell]]


class ArtifactError(PipelineError):
    """An artifact is missing, broken or not what was expected."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it onto `path` when the block succeeds.

    The temporary name holds machine and process: where two workers of a search write one
    file, on one machine or two, each replaces it with a whole one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{platform.node()}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` atomically, UTF-8, as given."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write sorted, indented JSON; a NaN or infinity is an error."""
    try:
        text = json.dumps(content, sort_keys=True, indent=2, allow_nan=False)
    except ValueError as error:
        raise ArtifactError(f"{path}: not written: {error}") from error
    write_text(path, text + "\n")


def write_csv(path: Path, columns: Columns) -> None:
    """Write named columns of equal length as CSV, with every digit of a float.

    A NaN is an empty cell. Where a column of numbers holds a float, all are written as floats.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*map(_cells, columns.values()), strict=True))
    write_text(path, text.getvalue())


def _cells(column: Sequence[Cell]) -> Sequence[Cell]:
    numbers = [value for value in column if not isinstance(value, str)]
    if len(numbers) < len(column) or not any(isinstance(value, float) for value in numbers):
        return column
    return ["" if math.isnan(value) else float(value) for value in numbers]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; a missing or broken file is an `ArtifactError`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ArtifactError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


@contextmanager
def replacing_directory(path: Path) -> Iterator[Path]:
    """Yield a new directory beside `path`; it takes the place of `path` if the block succeeds.

    A killed process leaves the old directory, the new one, or neither with the
    old one beside it as ``<name>.old.tmp``; never a mixture.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new, old = path.with_name(path.name + ".tmp"), path.with_name(path.name + ".old.tmp")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        yield new
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            path.rename(old)
        new.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)
