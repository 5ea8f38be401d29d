"""Prepared sequences: mapped, checked when read, cut into windows and scaled in one way."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np
import pytest

from pipeline.base.errors import PipelineError
from pipeline.base.files import ArtifactError
from pipeline.samples.prepared import (
    SEQUENCES,
    SPLITS,
    GeometryError,
    Prepared,
    Split,
    read_prepared,
)
from tests.samples.files import write_prepared


def prepared(n_bc: int = 40, seed: int = 0) -> Prepared:
    rng = np.random.default_rng(seed)

    def split(name: str) -> Split:
        columns = rng.uniform(0, 5, (4, n_bc)).astype(np.float32)
        return Split(name, *columns, window_length=5, target_lag=3, et_scale_gev=16.0)

    return Prepared(*(split(name) for name in SPLITS))


# The file


def test_prepared_comes_back(tmp_path):
    path = tmp_path / "prepared.h5"
    write_prepared(path, prepared())
    found = read_prepared(path)
    for name in SPLITS:
        got, wanted = getattr(found, name), getattr(prepared(), name)
        for field in SEQUENCES:
            assert getattr(got, field).dtype == np.float32
            np.testing.assert_array_equal(getattr(got, field), getattr(wanted, field))
        assert got.name == name
        assert (got.window_length, got.target_lag, got.et_scale_gev) == (5, 3, 16.0)
        assert (got.n_bc, got.n_windows) == (40, 35)


def test_prepared_is_mapped_and_cannot_be_written(tmp_path):
    path = tmp_path / "prepared.h5"
    write_prepared(path, prepared())
    values = read_prepared(path).train.dig_et_gev
    assert isinstance(values, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 1


def test_prepared_bytes_repeat(tmp_path):
    first, second = tmp_path / "a.h5", tmp_path / "b.h5"
    write_prepared(first, prepared())
    write_prepared(second, prepared())
    assert first.read_bytes() == second.read_bytes()
    write_prepared(second, prepared(seed=1))
    assert first.read_bytes() != second.read_bytes()


def without(name):
    def damage(file):
        del file[name]

    return damage


def replaced(name, **options):
    def damage(file):
        values = file[name][...]
        del file[name]
        file.create_dataset(name, data=values, **options)

    return damage


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (without("test"), "not a prepared file"),
        (without("train/sig_et_gev"), "not a prepared file"),
        (lambda file: file.attrs.pop("target_lag"), "not a prepared file.*target_lag"),
        (
            replaced("train/dig_et_gev", dtype=np.float64),
            "train/dig_et_gev: expected contiguous float32",
        ),
        (
            replaced("test/hit_et_gev", chunks=(8,), compression="gzip"),
            "test/hit_et_gev: expected contiguous float32",
        ),
    ],
)
def test_a_prepared_file_that_does_not_fit_is_named(tmp_path, damage, words):
    path = tmp_path / "prepared.h5"
    write_prepared(path, prepared())
    with h5py.File(path, "r+") as file:
        damage(file)
    with pytest.raises(ArtifactError, match=rf"prepared\.h5: {words}"):
        read_prepared(path)


@pytest.mark.parametrize("keep", [0, 30, -1])
def test_a_truncated_prepared_file_is_an_error(tmp_path, keep):
    path = tmp_path / "prepared.h5"
    write_prepared(path, prepared())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ArtifactError, match=r"prepared\.h5: not a readable HDF5 file"):
        read_prepared(path)


# A split


@dataclass(frozen=True)
class Network:
    window_length: int = 3
    et_scale_gev: float = 16.0


def split(**changes) -> Split:
    sequence = np.arange(20, dtype=np.float32)
    geometry = {"window_length": 3, "target_lag": 3, "et_scale_gev": 16.0, **changes}
    return Split("test", sequence, 2 * sequence, sequence, sequence, **geometry)


def test_samples_and_truth_are_scaled_in_float32():
    scale = np.float32(0.3)
    third = split(et_scale_gev=0.3)
    for found, sequence in (
        (third.scaled_samples(), third.dig_et_gev),
        (third.scaled_truth(), third.hit_et_gev),
    ):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, sequence / scale)
    assert split().scaled_samples()[3] == 3 / 16


def test_windows_and_targets_belong_together():
    last = split(window_length=4, target_lag=1)
    np.testing.assert_array_equal(last.windows(last.dig_et_gev)[:, -1], np.arange(3, 19))
    np.testing.assert_array_equal(last.targets(last.scaled_truth()) * 16, 2 * np.arange(3, 19))
    assert len(last.targets(last.dig_et_gev)) == len(last.windows(last.dig_et_gev)) == 16
    assert last.n_windows == 16


@pytest.mark.parametrize("change", [{"window_length": 4}, {"et_scale_gev": 8.0}])
def test_a_network_of_another_geometry_is_refused(change):
    with pytest.raises(GeometryError, match=f"{next(iter(change))}: the network has"):
        split(**change).for_network(Network())


def test_a_network_of_this_geometry_may_have_the_split():
    whole = split()
    assert whole.for_network(Network()) is whole


@pytest.mark.parametrize("lag", [0, 2])
def test_the_rmse_of_a_split_is_that_of_its_targets(lag):
    truth = np.arange(6, dtype=np.float32)
    nothing = np.zeros(6, np.float32)
    split = Split("test", nothing, truth, nothing, nothing, 2, lag, 16.0)
    wanted = split.targets(truth)
    np.testing.assert_array_equal(wanted, truth[2 - lag : 6 - lag])
    assert split.rmse_mev(wanted) == 0
    errors = np.array([0.003, -0.004, 0, 0])
    assert split.rmse_mev(wanted + errors) == pytest.approx(2.5)
    with pytest.raises(PipelineError, match=r"test split: expected 4 .* found shape \(4, 1\)"):
        split.rmse_mev(wanted[:, np.newaxis])


def test_the_level_of_ofmax():
    truth = np.float32([0, 0, 1, 0, 0, 2, 0])
    ofmax = truth + np.float32([9, 9, 0, 0.3, 0, -0.4, 0])
    split = Split("validation", truth, truth, ofmax, truth, 3, 1, 16.0)
    # windows of 3 BCs, targets at BC 2 to 5: differences 0, 0.3, 0, -0.4 GeV
    assert split.ofmax_rmse_mev() == pytest.approx(250.0, rel=1e-5)
