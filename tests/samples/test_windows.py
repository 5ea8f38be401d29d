import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import PipelineError
from pipeline.samples.windows import split_bounds, targets, windows


@given(data=st.data(), length=st.integers(1, 12))
def test_views_equal_the_naive_loop(data, length):
    n_bc = data.draw(st.integers(length + 1, 60))
    lag = data.draw(st.integers(0, length))
    samples, truth = np.arange(n_bc, dtype=np.float32), 100 + np.arange(n_bc, dtype=np.float32)
    view, wanted = windows(samples, length), targets(truth, length, lag)
    assert view.shape == (n_bc - length, length)
    assert wanted.shape == (n_bc - length,)
    for i in range(n_bc - length):
        assert view[i].tolist() == [samples[i + k] for k in range(length)]
        assert wanted[i] == truth[i + length - lag]


def test_views_copy_nothing():
    samples = np.zeros(100, np.float32)
    assert np.shares_memory(windows(samples, 5), samples)
    assert np.shares_memory(targets(samples, 5, 5), samples)
    assert not windows(samples, 5).flags.writeable


def test_split_of_the_original_data():
    bounds = split_bounds(2_000_000, 5, 0.45, 0.05)
    assert [split.n_windows for _, split in bounds.items()] == [899_992, 99_995, 999_998]
    assert bounds.bc_ranges(5) == {
        "train": (0, 899_997),
        "validation": (899_997, 999_997),
        "test": (999_997, 2_000_000),
    }


@given(
    n_bc=st.integers(200, 5000),
    length=st.integers(1, 8),
    train=st.floats(0.2, 0.5),
    validation=st.floats(0.1, 0.3),
)
def test_splits_touch_but_never_overlap(n_bc, length, train, validation):
    ranges = list(split_bounds(n_bc, length, train, validation).bc_ranges(length).values())
    assert ranges[0][0] == 0
    assert ranges[0][1] == ranges[1][0]
    assert ranges[1][1] == ranges[2][0]
    assert ranges[2][1] == n_bc


@pytest.mark.parametrize("n_bc", [0, 5, 20, 100])
def test_a_split_without_window_is_an_error(n_bc):
    with pytest.raises(PipelineError, match="split: expected at least one window of 5 samples"):
        split_bounds(n_bc, 5, 0.45, 0.05)


@pytest.mark.parametrize("shape", [(5,), (0,), (10, 10)])
def test_a_sequence_without_window_is_an_error(shape):
    with pytest.raises(PipelineError, match="more than 5 BCs"):
        windows(np.zeros(shape), 5)


@pytest.mark.parametrize("lag", [-1, 6])
def test_a_lag_outside_the_window_is_an_error(lag):
    with pytest.raises(PipelineError, match=f"expected 0 to 5, found {lag}"):
        targets(np.zeros(10), 5, lag)
