"""How artifacts look on disk: JSON, weights and prepared sequences.

Nothing else in the project opens these files. Every write goes to a temporary
file beside the target, is flushed to disk and renamed, so a killed stage leaves
either the old file or the new one. No file carries a time, a host name or an
absolute path: the same content gives the same bytes.
"""

from __future__ import annotations

import glob
import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.base.errors import PipelineError


class ArtifactError(PipelineError):
    """An artifact is missing, broken or not what was expected."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it onto `path` when the block succeeds.

    The temporary name is this process' own: where two workers of a search write one file,
    on one machine or two, each replaces it with a whole one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    own = f"{path.name}.{platform.node()}"
    _sweep(path.parent, own)
    temporary = path.with_name(f"{own}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(folder: Path, own: str) -> None:
    """Delete what killed processes of this machine left half-written."""
    for file in folder.glob(f"{glob.escape(own)}.*.tmp"):
        number = file.name.removeprefix(f"{own}.").removesuffix(".tmp")
        if number.isdecimal() and not _alive(int(number)):
            file.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


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


def write_csv(path: Path, columns: Mapping[str, Sequence[float | int | str]]) -> None:
    """Write named columns of equal length as CSV."""
    import pandas as pd  # takes a second to load, and most stages write no table

    text = pd.DataFrame(dict(columns)).to_csv(index=False, lineterminator="\n")
    write_text(path, text)


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
