"""Folders in which people start DVC who do not know it."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.repository.check import SIMULATED, RepositoryError, check_repository
from tests.imports import ROOT
from tests.workplace import set_params

OWN = Path("data/raw/mine.h5")


def git(*arguments):
    name = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *name, *arguments], check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git("init")
    for name in (".dvc", "data/raw", "metrics/plots", "models"):
        Path(name).mkdir(parents=True)
    Path(".dvc/config").write_text("[core]\n    analytics = false\n")
    return Path()


def problem(folder, data_file=SIMULATED):
    with pytest.raises(RepositoryError) as caught:
        check_repository(folder, data_file)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_clone_is_fine(folder):
    assert check_repository(folder, SIMULATED) == []


def test_a_folder_in_a_repository_and_a_worktree_are_fine(folder):
    Path("inner/.dvc").mkdir(parents=True)
    assert check_repository(Path("inner"), SIMULATED) == []
    Path("inner/.git").write_text("gitdir: elsewhere\n")
    assert check_repository(Path("inner"), SIMULATED) == []


@pytest.mark.parametrize("config", ["config", "config.local"])
def test_without_git(folder, config):
    Path(".git").rename("was_git")
    assert "git init" in problem(folder)
    Path(".dvc", config).write_text("[core]\n    no_scm = true\n['remote \"x\"']\n    url = a%b\n")
    assert check_repository(folder, SIMULATED) == []


def test_without_dvc(folder):
    Path(".dvc").rename("was_dvc")
    assert "dvc init" in problem(folder)


@pytest.mark.parametrize("name", ["data", "data/raw", "models", "metrics", "metrics/plots"])
def test_folders_that_are_links(folder, name):
    Path(name).rename("elsewhere")
    Path(name).symlink_to(Path("elsewhere").resolve())
    assert problem(folder).startswith(f"{name}: expected a folder, found a symbolic link")


def test_a_data_file_that_is_not_there(folder):
    assert f"data.file: {OWN}: expected a file, found nothing" in problem(folder, OWN)
    OWN.mkdir()
    assert "found a folder" in problem(folder, OWN)
    OWN.rmdir()
    OWN.symlink_to("nowhere")
    assert "link to nothing" in problem(folder, OWN)
    Path(f"{OWN}.dvc").write_text("outs: []\n")
    assert f"dvc pull {OWN}.dvc" in problem(folder, OWN)


def test_what_experiments_in_a_folder_of_their_own_lack(folder, tmp_path):
    OWN.write_bytes(b"x")
    (note,) = check_repository(folder, OWN)
    assert f"dvc add {OWN}" in note
    git("add", "-f", str(OWN))
    assert check_repository(folder, OWN) == []
    git("rm", "--cached", str(OWN))
    Path(f"{OWN}.dvc").write_text("outs: []\n")
    assert check_repository(folder, OWN) == []
    outside = tmp_path.parent / f"{tmp_path.name}.h5"
    outside.write_bytes(b"x")
    assert check_repository(folder, outside) == []
    (note,) = check_repository(folder, Path("..", outside.name))
    assert "absolute path" in note


def test_the_command_is_one_line_and_an_exit_code(folder):
    set_params(data={"file": str(OWN)})
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.repository"],
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr == f"error: data.file: {OWN}: expected a file, found nothing\n"
