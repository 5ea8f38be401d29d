"""The streaming core: windows of the right cell, gaps, and broken turns."""

import numpy as np
import pytest

from pipeline.firmware.rtl import simulation as rtl_simulation
from pipeline.firmware.rtl.project import verilog_files, write_rtl
from pipeline.firmware.rtl.simulation import RtlMismatchError, check_stream
from pipeline.firmware.rtl.stream_clocks import expected_stream, random_stream
from pipeline.integers import golden
from pipeline.integers.compare import MismatchError
from pipeline.integers.network import IntegerNetwork
from tests.firmware.compiled_once import compiling_once
from tests.firmware.sections import rtl_params
from tests.integers.networks import fixed, random_network

NETWORK = random_network(5, 3, 3, state=fixed(6, 2, signed=False))
CELLS = 5


def samples(n: int = 400) -> np.ndarray:
    return np.random.default_rng(2).integers(-2048, 2048, n)


@pytest.fixture(autouse=True, scope="module")
def _compiled_once():
    with compiling_once():
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("stream")
    design = write_rtl(NETWORK, rtl_params(cells=CELLS), directory)
    return design, verilog_files(directory, stream=True)


def test_a_long_stream_with_gaps(written):
    design, files = written
    clocks = random_stream(samples(), design, 20000, 0.4, 3)
    assert 0.2 < 1 - clocks.valid.mean() < 0.4
    assert clocks.reset.sum() > 10
    comparison = check_stream(NETWORK, design, files, clocks)
    assert (comparison.windows, comparison.mismatches) == (20000, 0)


def test_broken_turns_never_give_an_energy_of_mixed_cells(written):
    design, files = written
    clocks = random_stream(samples(), design, 3000, 0.2, 4, disturbances=150)
    _, out_of_turn, _ = expected_stream(clocks, design)
    assert out_of_turn.sum() > 90
    assert check_stream(NETWORK, design, files, clocks).windows == 3000


def test_a_wrong_energy_names_its_window(written, monkeypatch):
    design, files = written
    true = rtl_simulation.golden.evaluate_integers

    def one_wrong(network, integers):
        energies = true(network, integers).copy()
        energies[123] ^= 1
        return energies

    monkeypatch.setattr(rtl_simulation.golden, "evaluate_integers", one_wrong)
    clocks = random_stream(samples(), design, 500, 0.2, 5)
    with pytest.raises(MismatchError, match=r"stream differs from golden in 1 .*window 123:"):
        check_stream(NETWORK, design, files, clocks)


def test_a_wrong_latency_names_the_flag(written):
    design, files = written
    late = design.model_copy(update={"latency_cycles": design.latency_cycles + 1})
    clocks = random_stream(samples(), design, 100, 0.2, 6)
    with pytest.raises(RtlMismatchError, match="energy_valid is wrong"):
        check_stream(NETWORK, late, files, clocks)


@pytest.mark.slow
def test_windows_of_one_sample_need_no_history(tmp_path):
    network = random_network(7, 2, 1)
    design = write_rtl(
        network, rtl_params(adders_per_stage=3, clock_period_ns=5.0, cells=1), tmp_path / "r"
    )
    clocks = random_stream(samples(), design, 300, 0.5, 7)
    files = verilog_files(tmp_path / "r", stream=True)
    assert check_stream(network, design, files, clocks).windows == 300


@pytest.mark.slow
def test_a_flipped_weight_names_the_first_window(tmp_path, written):
    """The lowest bit of one weight, in the RTL of the streaming core."""
    tree = NETWORK.model_dump()
    tree["layers"][0]["recurrent_kernel"]["integers"][1][2] ^= 1
    faulty = IntegerNetwork.model_validate(tree)
    design = write_rtl(faulty, rtl_params(cells=CELLS), tmp_path / "r")
    clocks = random_stream(samples(), design, 1000, 0.2, 8)
    _, _, windows = expected_stream(clocks, design)
    energies = [golden.evaluate_integers(network, windows) for network in (NETWORK, faulty)]
    first = int(np.flatnonzero(energies[0] != energies[1])[0])
    with pytest.raises(MismatchError, match=rf"stream differs .* in window {first}: "):
        check_stream(NETWORK, design, verilog_files(tmp_path / "r", stream=True), clocks)


TINY = random_network(7, 2, 2)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Three cells, so that the number 3 is no cell, and a core that compiles in seconds."""
    directory = tmp_path_factory.mktemp("tiny")
    design = write_rtl(TINY, rtl_params(adders_per_stage=3), directory)
    return design, directory


# The one register whose reset nothing can show is `expected`: without `started` it is not read.
MISSING_RESETS = {
    "out_of_turn <= !reset && valid": ("out_of_turn <= valid", "out_of_turn"),
    "started <= 1'b0;": ("", "out_of_turn"),
    "missing <= DEPTH;\n        end else": ("end else", "energy_valid"),
    "valid_line[0] <= !reset && valid": ("valid_line[0] <= valid", "energy_valid"),
    "valid_line[j] <= !reset && valid_line": ("valid_line[j] <= valid_line", "energy_valid"),
}


@pytest.mark.slow
@pytest.mark.parametrize("sound", MISSING_RESETS)
def test_a_missing_reset_is_caught(tiny, tmp_path, sound):
    design, directory = tiny
    without, port = MISSING_RESETS[sound]
    files = mutated(directory, tmp_path, sound, without)
    clocks = random_stream(samples(), design, 300, 0.2, 9)
    with pytest.raises(RtlMismatchError, match=rf"stream: {port} is wrong at"):
        check_stream(TINY, design, files, clocks, optimise=False)


@pytest.mark.slow
def test_what_no_reset_reached_at_power_up_is_caught(tiny, tmp_path):
    """No reset but the first, and registers that start at random."""
    design, directory = tiny
    (sound,) = [text for text in MISSING_RESETS if text.startswith("valid_line[j]")]
    files = mutated(directory, tmp_path, sound, MISSING_RESETS[sound][0])
    clocks = random_stream(samples(), design, 100, 0.2, 10, disturbances=0)
    assert not clocks.reset.any()
    with pytest.raises(RtlMismatchError, match=r"energy_valid is wrong .* before any input"):
        check_stream(TINY, design, files, clocks, optimise=False)


def mutated(directory, to, old: str, new: str) -> list:
    """The Verilog of the streaming core with one text in it replaced."""
    files = verilog_files(directory, stream=True)
    (stream,) = [path for path in files if path.name.endswith("_stream.v")]
    text = stream.read_text()
    assert text.count(old) == 1
    (to / stream.name).write_text(text.replace(old, new))
    return [path for path in files if path != stream] + [to / stream.name]
