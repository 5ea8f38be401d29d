"""Files are replaced whole or not at all, repeat byte for byte, and are checked when read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.base.files import (
    ArtifactError,
    read_json,
    replacing,
    write_csv,
    write_json,
    write_text,
)
from pipeline.base.weights import load_weights, open_hdf5, save_weights
from tests.imports import ROOT

SHAPES = {"rnn/kernel": (1, 2), "rnn/bias": (2,), "dense/kernel": (2, 1)}


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


# Replacing


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert temporary.parent == path.parent
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


WRITER = """
import sys, time
from pathlib import Path
from pipeline.base.files import replacing
with replacing(Path("file.txt")) as temporary:
    temporary.write_text(sys.argv[1])
    print("written", flush=True)
    sys.stdin.read()
"""


def start_writer(text: str) -> subprocess.Popen[str]:
    """Start a process that has written its temporary file and waits for the end of its input."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, text],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "written\n"
    return process


def test_processes_that_write_one_file_do_not_disturb_each_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writers = [start_writer(text) for text in ("first", "second")]
    assert len(list(tmp_path.glob("*.tmp"))) == 2
    for writer, text in zip(writers, ("first", "second"), strict=True):
        writer.communicate("")
        assert writer.returncode == 0
        assert Path("file.txt").read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_what_a_killed_process_left_disturbs_nobody(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    killed, other = start_writer("half"), start_writer("other")
    killed.kill()
    killed.communicate()
    assert not Path("file.txt").exists()
    write_text(Path("file.txt"), "whole")
    assert Path("file.txt").read_text() == "whole"
    other.communicate("")
    assert Path("file.txt").read_text() == "other"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failing_rename_leaves_the_old_file(tmp_path):
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_text(path, "text")
    assert list(tmp_path.iterdir()) == [path]
    assert list(path.iterdir()) == [path / "inside"]


def test_content_is_on_disk_before_the_name(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    seen = []
    monkeypatch.setattr("pipeline.base.files.os.fsync", lambda _: seen.append(path.exists()))
    write_text(path, "text")
    assert seen == [False]
    assert path.exists()


def test_text_is_utf_8_and_untranslated(tmp_path):
    path = tmp_path / "label.txt"
    write_text(path, "⟨μ⟩\r\n")
    assert path.read_bytes() == b"\xe2\x9f\xa8\xce\xbc\xe2\x9f\xa9\r\n"


# JSON and CSV


def test_json_comes_back(tmp_path):
    path = tmp_path / "a.json"
    content = {"b": [1, 2.5], "a": {"d": None, "c": "μ"}}
    write_json(path, content)
    assert read_json(path) == content


def test_json_bytes_depend_on_content_only(tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    write_json(first, {"b": {"y": 1, "x": 2}, "a": 1})
    write_json(second, {"a": 1, "b": {"x": 2, "y": 1}})
    assert first.read_bytes() == second.read_bytes()
    assert list(json.loads(first.read_text())) == ["a", "b"]
    assert first.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_json_refuses_what_is_not_finite(tmp_path, value):
    path = tmp_path / "metrics.json"
    write_json(path, {"rmse": 1.0})
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match=r"metrics\.json: not written: .*not JSON compliant"):
        write_json(path, {"rmse": {"deep": [value]}})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": ', "not valid JSON"),
        (b"", "not valid JSON"),
        (b'{"a": "\xff"}', "not valid JSON"),
        (b"[1]", "expected a JSON object, found list"),
    ],
)
def test_json_refuses_broken_files(tmp_path, content, words):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"a\.json: {words}"):
        read_json(path)


def test_json_names_a_missing_file(tmp_path):
    with pytest.raises(ArtifactError, match=r"none\.json: cannot be read: No such file"):
        read_json(tmp_path / "none.json")


def test_csv_keeps_column_order_and_all_digits(tmp_path):
    path = tmp_path / "curve.csv"
    write_csv(path, {"epoch": [1, 2], "loss": [0.1, 1 / 3], "class": ["a", "b, c"]})
    assert path.read_bytes() == b'epoch,loss,class\n1,0.1,a\n2,0.3333333333333333,"b, c"\n'


NUMBERS = st.floats() | st.integers(-(2**53), 2**53)
ROWS = st.integers(0, 5).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            name: st.lists(values, min_size=n, max_size=n)
            for name, values in {
                "floats": st.floats(),
                "numpy": st.floats().map(np.float64),
                "integers": st.integers(-(2**62), 2**62),
                "numbers": NUMBERS,
                "label, quoted": st.text(st.characters(codec="utf-8"), min_size=1),
                "bools": st.booleans(),
            }.items()
        }
    )
)


@given(columns=ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_csv_is_what_pandas_writes(tmp_path, columns):
    path = tmp_path / "table.csv"
    write_csv(path, columns)
    expected = pd.DataFrame(columns).to_csv(index=False, lineterminator="\n")
    assert path.read_bytes() == expected.encode()


def test_csv_refuses_columns_of_unequal_length(tmp_path):
    path = tmp_path / "curve.csv"
    with pytest.raises(ValueError, match="argument 2 is longer than argument 1"):
        write_csv(path, {"a": [1], "b": [1, 2]})
    assert not path.exists()


# Weights


def test_weights_come_back(tmp_path):
    path = tmp_path / "w.h5"
    save_weights(path, weights())
    found = load_weights(path, SHAPES)
    assert set(found) == set(SHAPES)
    for name, value in weights().items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], value)


def test_weights_bytes_repeat_for_any_order(tmp_path):
    first, second = tmp_path / "a.h5", tmp_path / "b.h5"
    save_weights(first, weights())
    save_weights(second, dict(reversed(weights().items())))
    assert first.read_bytes() == second.read_bytes()
    save_weights(second, weights(seed=1))
    assert first.read_bytes() != second.read_bytes()


def edit(change):
    """Return a damage: write the weights after `change` of the dictionary."""

    def damage(path):
        tensors = weights()
        change(tensors)
        save_weights(path, tensors)

    return damage


def as_float64(path):
    save_weights(path, weights())
    with h5py.File(path, "r+") as file:
        del file["rnn/bias"]
        file["rnn/bias"] = np.zeros(2)


def as_text(path):
    save_weights(path, weights())
    with h5py.File(path, "r+") as file:
        del file["rnn/bias"]
        file["rnn/bias"] = np.array([b"x", b"y"])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (edit(lambda w: w.pop("rnn/bias")), r"expected tensors \[.*'rnn/bias'.*\], found \["),
        (
            edit(lambda w: w.update(extra=np.zeros(1))),
            r"expected tensors \[.*\], found \[.*'extra'",
        ),
        (
            edit(lambda w: w.update({"rnn/kernel": np.zeros((2, 1))})),
            r"rnn/kernel: expected shape \(1, 2\), found \(2, 1\)",
        ),
        (edit(lambda w: w["rnn/bias"].fill(np.nan)), "rnn/bias: not finite"),
        (edit(lambda w: w["rnn/bias"].fill(np.inf)), "rnn/bias: not finite"),
        (as_float64, "rnn/bias: expected float32, found float64"),
        (as_text, "rnn/bias: expected float32, found"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path, damage, words):
    path = tmp_path / "w.h5"
    damage(path)
    with pytest.raises(ArtifactError, match=rf"w\.h5: {words}"):
        load_weights(path, SHAPES)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_a_truncated_weights_file_is_an_error(tmp_path, keep):
    path = tmp_path / "w.h5"
    save_weights(path, weights())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match=r"w\.h5: not a readable HDF5 file \(truncated\?\)"):
        load_weights(path, SHAPES)


def test_a_missing_hdf5_file_is_named(tmp_path):
    with (
        pytest.raises(ArtifactError, match=r"none\.h5: no such file"),
        open_hdf5(tmp_path / "none.h5"),
    ):
        pass


def test_a_failing_save_leaves_the_old_weights(tmp_path):
    path = tmp_path / "w.h5"
    save_weights(path, weights())
    before = path.read_bytes()
    with pytest.raises(ValueError, match="could not convert"):
        save_weights(path, {"a": np.zeros(1), "b": np.array(["text"])})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
