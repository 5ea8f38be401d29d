"""Random streams have what they promise, and the expectation follows from the definition."""

import numpy as np
import pytest

from pipeline.artifacts.design import RtlDesign
from pipeline.firmware.rtl.stream_clocks import StreamClocks, expected_stream, random_stream
from tests.firmware.sections import rtl_design

SAMPLES = np.random.default_rng(2).integers(-2048, 2048, 400)


def design(cells: int, length: int, latency: int = 7) -> RtlDesign:
    return rtl_design(
        cells=cells,
        window_length=length,
        energy_bits=8,
        stages=latency - 1,
        latency_cycles=latency,
    )


def stream(valid, cell, sample, reset=()) -> StreamClocks:
    resets = np.zeros(len(valid), dtype=bool)
    resets[list(reset)] = True
    return StreamClocks(np.array(valid, dtype=bool), np.array(cell), np.array(sample), resets)


def test_expected_windows_by_hand():
    """Two cells, windows of two samples; a gap, then cell 0 twice."""
    clocks = stream(
        [1, 1, 0, 1, 1, 1, 1, 1, 1],
        [0, 1, 0, 0, 1, 1, 0, 1, 0],
        [10, 20, 99, 11, 21, 22, 12, 23, 13],
    )
    complete, broken, windows = expected_stream(clocks, design(2, 2, 2))
    assert windows.tolist() == [[10, 11], [20, 21], [22, 23], [12, 13]]
    assert np.flatnonzero(broken).tolist() == [5]
    assert np.flatnonzero(complete).tolist() == [3, 4, 7, 8]


def test_a_reset_loses_its_sample_the_histories_and_what_is_under_way():
    """One cell, windows of two samples, two clocks to the energy; a reset at clock 5."""
    clocks = stream([1] * 10, [0] * 10, range(10), reset=[5])
    complete, broken, windows = expected_stream(clocks, design(1, 2, 2))
    assert not broken.any()
    # Clock 4 is under way, clock 6 begins anew.
    assert np.flatnonzero(complete).tolist() == [1, 2, 3, 7, 8, 9]
    assert windows.tolist() == [[0, 1], [1, 2], [2, 3], [6, 7], [7, 8], [8, 9]]


def test_after_a_reset_any_cell_may_begin_and_no_turn_is_broken_in_it():
    clocks = stream([1] * 5, [0, 1, 1, 1, 0], range(5), reset=[2])
    _, broken, _ = expected_stream(clocks, design(2, 2))
    assert not broken.any()
    clocks = stream([1] * 5, [0, 1, 1, 1, 0], range(5))
    assert np.flatnonzero(expected_stream(clocks, design(2, 2))[1]).tolist() == [2, 3]


@pytest.mark.parametrize("cells", [1, 2, 3, 4, 12])
@pytest.mark.parametrize("length", [1, 2, 5])
@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_a_stream_has_its_windows_and_its_disturbances(cells, length, gap):
    of = design(cells, length)
    clocks = random_stream(SAMPLES, of, 900, gap, 1)
    complete, broken, windows = expected_stream(clocks, of)
    assert complete.sum() == len(windows) == 900
    assert clocks.reset.sum() == 4  # one of a clock, one of three
    illegal = clocks.valid & (clocks.cell >= cells) & ~clocks.reset
    assert illegal.any() == (cells in (1, 3, 12))
    assert broken.sum() >= (2 if cells == 1 else 4)
    assert (clocks.valid.mean() < 0.8) == (gap > 0)
    # A reset hits a complete window while others are under way.
    undisturbed = StreamClocks(clocks.valid, clocks.cell, clocks.sample, clocks.reset & False)
    lost = expected_stream(undisturbed, of)[0] & ~complete
    first = int(np.flatnonzero(clocks.reset)[0])
    assert lost[first]
    assert lost[first - of.latency_cycles + 1 : first].any()


def test_the_same_seed_gives_the_same_stream_and_none_is_broken_if_so_asked():
    of = design(3, 2)
    one, two = (random_stream(SAMPLES, of, 50, 0.3, 5, disturbances=0) for _ in range(2))
    assert all(np.array_equal(getattr(one, name), getattr(two, name)) for name in vars(one))
    assert not one.reset.any()
    assert not expected_stream(one, of)[1].any()


def test_fewer_windows_than_runs_are_no_less():
    of = design(4, 3)
    assert expected_stream(random_stream(SAMPLES, of, 2, 0.3, 5), of)[0].sum() >= 2
