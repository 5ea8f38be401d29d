"""What DVC refuses late, or in words that help only those who know it, said first in one line."""

from __future__ import annotations

import configparser
import subprocess
from contextlib import suppress
from pathlib import Path

from pipeline.base.errors import PipelineError
from pipeline.params.detector import SIMULATED

_FOLDERS = (Path("data"), Path("data/raw"), Path("metrics"), Path("metrics/plots"), Path("models"))


class RepositoryError(PipelineError):
    """A folder in which DVC would fail."""


def check_repository(folder: Path, data_file: Path) -> list[str]:
    """Check that DVC can run the pipeline in a folder.

    Parameters
    ----------
    folder
        With dvc.yaml.
    data_file
        ``data.file``, from that folder or absolute.

    Returns
    -------
    What works, but not with every command of DVC: a line each.

    Raises
    ------
    RepositoryError
        Saying what to do.
    """
    if not (folder / ".dvc").is_dir():
        raise RepositoryError(f"{folder.resolve()}: no folder .dvc: run `dvc init` here")
    here = folder.resolve()
    in_git = any((above / ".git").exists() for above in (here, *here.parents))
    if not in_git and not _without_git(folder):
        raise RepositoryError(
            f"{folder.resolve()}: no Git repository (a ZIP download?): run `git init && git add . "
            "&& git commit -m start`; or, without experiments, `dvc config --local core.no_scm "
            "true`"
        )
    for part in _FOLDERS:
        if (folder / part).is_symlink():
            raise RepositoryError(
                f"{part}: expected a folder, found a symbolic link, through which DVC writes "
                "nothing: put a folder in its place and name your file in data.file; for room on "
                "another disk run `dvc cache dir /other/disk`"
            )
    _require_data(folder, data_file)
    return _notes(folder, data_file) if in_git else []


def _without_git(folder: Path) -> bool:
    """Whether DVC is configured to do without Git."""
    parser = configparser.ConfigParser(interpolation=None)
    with suppress(configparser.Error):
        parser.read([folder / ".dvc/config", folder / ".dvc/config.local"], encoding="utf-8")
    return parser.get("core", "no_scm", fallback="").strip().lower() in ("true", "1", "yes", "on")


def _require_data(folder: Path, data_file: Path) -> None:
    path = folder / data_file
    if path.is_file() or data_file == SIMULATED:
        return
    pointer = Path(f"{data_file}.dvc")
    if (folder / pointer).is_file():
        raise RepositoryError(
            f"data.file: {data_file}: not here, but DVC knows it: run `dvc pull {pointer}`"
        )
    if path.is_symlink():
        raise RepositoryError(f"data.file: {data_file}: a symbolic link to nothing")
    found = "a folder" if path.is_dir() else "nothing"
    raise RepositoryError(f"data.file: {data_file}: expected a file, found {found}")


def _notes(folder: Path, data_file: Path) -> list[str]:
    """Say where experiments in a folder of their own (--temp, --queue) lack the data file."""
    if data_file == SIMULATED or data_file.is_absolute():
        return []
    if not (folder / data_file).resolve().is_relative_to(folder.resolve()):
        return [
            f"data.file: {data_file} lies outside the repository: `dvc exp run --temp` and "
            "--queue need its absolute path"
        ]
    if (folder / f"{data_file}.dvc").is_file() or _known_to_git(folder, data_file):
        return []
    return [
        f"data.file: {data_file}: `dvc exp run --temp` and --queue see only what is added: "
        f"run `dvc add {data_file}` and commit {data_file}.dvc"
    ]


def _known_to_git(folder: Path, path: Path) -> bool:
    command = ["git", "ls-files", "--error-unmatch", "--", str(path)]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    except OSError:  # no git
        return False
