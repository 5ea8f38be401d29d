from __future__ import annotations

import numpy as np
import pytest

from pipeline.base.files import ArtifactError
from pipeline.samples.predictions import read_predictions


@pytest.fixture
def path(tmp_path):
    return tmp_path / "float_test.npy"


def test_reads_what_was_written(path):
    values = np.array([0, 0.5, 1], np.float32)
    np.save(path, values)
    np.testing.assert_array_equal(read_predictions(path, 3), values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(4, np.float32), r"expected shape \(3,\).*found \(4,\)"),
        (np.zeros((3, 1), np.float32), r"expected shape \(3,\).*found \(3, 1\)"),
        (np.zeros(3, np.float64), "expected float32, found float64"),
        (np.array([0, np.nan, np.inf], np.float32), "found 2 that are not, the first at window 1"),
    ],
)
def test_refuses_what_does_not_fit(path, values, message):
    np.save(path, values)
    with pytest.raises(ArtifactError, match=rf"float_test\.npy: .*{message}"):
        read_predictions(path, 3)


def test_refuses_a_missing_file(path):
    with pytest.raises(ArtifactError, match="no such file"):
        read_predictions(path, 3)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"not an array at all"])
def test_refuses_broken_files(path, content):
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not a readable NPY file"):
        read_predictions(path, 3)


def test_refuses_a_truncated_file(path):
    np.save(path, np.zeros(3, np.float32))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ArtifactError, match="not a readable NPY file"):
        read_predictions(path, 3)


def test_refuses_pickled_objects(path):
    np.save(path, np.array([{}, {}, {}], object), allow_pickle=True)
    with pytest.raises(ArtifactError, match="not a readable NPY file"):
        read_predictions(path, 3)


def test_refuses_an_archive(path):
    with path.open("wb") as handle:
        np.savez(handle, a=np.zeros(3, np.float32))
    with pytest.raises(ArtifactError, match="found an archive"):
        read_predictions(path, 3)
