"""The streaming core: windows of the right cell, gaps, and broken turns."""

import numpy as np
import pytest

from pipeline.firmware import rtl_simulation
from pipeline.firmware.compare import MismatchError
from pipeline.firmware.rtl_project import RtlDesign, RtlOptions, verilog_files, write_rtl
from pipeline.firmware.rtl_simulation import (
    RtlMismatchError,
    StreamClocks,
    check_stream,
    expected_stream,
    random_stream,
)
from tests.firmware.networks import fixed, random_network

NETWORK = random_network(5, 3, 3, state=fixed(6, 2, signed=False))
CELLS = 5


def samples(n: int = 400) -> np.ndarray:
    return np.random.default_rng(2).integers(-2048, 2048, n)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("stream")
    design = write_rtl(NETWORK, RtlOptions("cell_rnn", 2, 2.0, CELLS), directory)
    return design, verilog_files(directory, stream=True)


def test_a_long_stream_with_gaps(written):
    design, files = written
    clocks = random_stream(samples(), CELLS, 20000, 3, 0.4, 3)
    assert 0.2 < 1 - clocks.valid.mean() < 0.4
    comparison = check_stream(NETWORK, design, files, clocks)
    assert (comparison.windows, comparison.mismatches) == (20000, 0)


def test_broken_turns_never_give_an_energy_of_mixed_cells(written):
    design, files = written
    clocks = random_stream(samples(), CELLS, 3000, 3, 0.2, 4)
    cell = clocks.cell.copy()
    for clock in np.flatnonzero(clocks.valid)[50::97]:
        cell[clock] = (cell[clock] + 1 + clock % 3) % 8  # 5, 6 and 7 are no cells at all
    broken = StreamClocks(clocks.valid, cell, clocks.sample)
    _, out_of_turn, _ = expected_stream(broken, design)
    assert out_of_turn.sum() > 30
    assert check_stream(NETWORK, design, files, broken).windows > 1000


def test_a_wrong_energy_names_its_window(written, monkeypatch):
    design, files = written
    true = rtl_simulation.golden.evaluate_integers

    def one_wrong(network, integers):
        energies = true(network, integers).copy()
        energies[123] ^= 1
        return energies

    monkeypatch.setattr(rtl_simulation.golden, "evaluate_integers", one_wrong)
    clocks = random_stream(samples(), CELLS, 500, 3, 0.2, 5)
    with pytest.raises(MismatchError, match=r"stream differs from golden in 1 .*window 123:"):
        check_stream(NETWORK, design, files, clocks)


def test_a_wrong_latency_names_the_flag(written):
    design, files = written
    late = RtlDesign(**{**design.__dict__, "latency_cycles": design.latency_cycles + 1})
    clocks = random_stream(samples(), CELLS, 100, 3, 0.2, 6)
    with pytest.raises(RtlMismatchError, match="energy_valid is wrong"):
        check_stream(NETWORK, late, files, clocks)


def test_windows_of_one_sample_need_no_history(tmp_path):
    network = random_network(7, 2, 1)
    design = write_rtl(network, RtlOptions("cell_rnn", 3, 5.0, 1), tmp_path / "r")
    clocks = random_stream(samples(), 1, 300, 1, 0.5, 7)
    files = verilog_files(tmp_path / "r", stream=True)
    assert check_stream(network, design, files, clocks).windows == 300


def test_expected_windows_by_hand():
    """Two cells, windows of two samples; a gap, then cell 0 twice."""
    design = RtlDesign("t", 2, 1.0, 2, 12, 8, 1, 2, 1)
    valid = np.array([1, 1, 0, 1, 1, 1, 1, 1, 1], dtype=bool)
    cell = np.array([0, 1, 0, 0, 1, 1, 0, 1, 0])
    sample = np.array([10, 20, 99, 11, 21, 22, 12, 23, 13])
    complete, broken, windows = expected_stream(StreamClocks(valid, cell, sample), design)
    assert windows.tolist() == [[10, 11], [20, 21], [22, 23], [12, 13]]
    assert np.flatnonzero(broken).tolist() == [5]
    assert np.flatnonzero(complete).tolist() == [3, 4, 7, 8]
