"""The streaming core in VHDL: its text, and GHDL's simulation of it where that is installed."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from pipeline.artifacts.design import RtlDesign
from pipeline.firmware.event_simulation import ghdl_stream
from pipeline.firmware.event_simulation.ghdl_stream import check_ghdl_stream
from pipeline.firmware.event_simulation.icarus_ghdl import WrittenNetwork
from pipeline.firmware.rtl.project import write_rtl
from pipeline.firmware.rtl.simulation import RtlMismatchError
from pipeline.firmware.rtl.stream_clocks import StreamClocks, random_stream
from pipeline.firmware.rtl.verilator import SimulationError
from pipeline.firmware.rtl.vhdl_stream import stream_vhdl
from pipeline.integers.compare import MismatchError
from tests.firmware.sections import rtl_params
from tests.integers.networks import fixed, random_network

NETWORK = random_network(5, 3, 3, state=fixed(6, 2, signed=False))
CELLS = 5
needs_ghdl = pytest.mark.skipif(shutil.which("ghdl") is None, reason="GHDL is not installed")


def stream(design: RtlDesign, windows: int, disturbances: int | None = None) -> StreamClocks:
    samples = np.random.default_rng(2).integers(-2048, 2048, 400)
    return random_stream(samples, design, windows, 0.4, 3, disturbances)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("ghdl")
    return WrittenNetwork(
        NETWORK, write_rtl(NETWORK, rtl_params(cells=CELLS), directory), directory
    )


def test_the_text_has_the_sizes_of_the_design(written):
    design, directory = written.design, written.directory
    text = (directory / "vhdl" / "cell_rnn_stream.vhd").read_text()
    assert text == stream_vhdl(design)
    for piece in (
        "CELLS : positive := 5;",
        "CELL_BITS : positive := 3",
        "sample : in std_logic_vector(11 downto 0);",
        "energy : out std_logic_vector(7 downto 0)",
        "constant LENGTH : positive := 3;",
        "constant BITS : positive := 12;",
        f"constant LATENCY : positive := {design.latency_cycles};",
        "signal history : samples;",
        "network : entity work.cell_rnn port map",
    ):
        assert piece in text


def test_windows_of_one_sample_need_no_history(written):
    design = written.design.model_copy(update={"window_length": 1})
    assert "history" not in stream_vhdl(design)


def test_without_ghdl_or_windows_a_line_says_so(written, monkeypatch, tmp_path):
    monkeypatch.setattr(ghdl_stream.shutil, "which", lambda _: None)
    assert "ghdl not on PATH" in check_ghdl_stream(written, stream(written.design, 10))
    monkeypatch.setattr(ghdl_stream.shutil, "which", lambda name: name)
    assert "no windows asked for" in check_ghdl_stream(written, None)


@needs_ghdl
def test_ghdl_agrees(written):
    line = check_ghdl_stream(written, stream(written.design, 400))
    assert line == "ghdl, streaming core: 400 windows, 0 mismatches"


@needs_ghdl
def test_ghdl_agrees_on_broken_turns_and_resets(written):
    clocks = stream(written.design, 600, disturbances=60)
    assert clocks.reset.sum() == 40
    line = check_ghdl_stream(written, clocks)
    assert line.endswith("600 windows, 0 mismatches")


@needs_ghdl
@pytest.mark.parametrize(
    ("sound", "without"),
    [
        ("started <= '0';", ""),
        ("missing <= DEPTH;\n            elsif", "elsif"),
        ("reset = '0' and valid = '1'", "valid = '1'"),
        (" and not reset;", ";"),
        ("if reset = '1' then", "if reset = '1' and in_turn then"),
    ],
)
def test_ghdl_finds_a_missing_reset(written, tmp_path, sound, without):
    shutil.copytree(written.directory, tmp_path / "r")
    path = tmp_path / "r" / "vhdl" / "cell_rnn_stream.vhd"
    text = path.read_text()
    assert text.count(sound) == 1
    path.write_text(text.replace(sound, without))
    # A flag that no reset reaches is wrong, or, from power-up on, never defined.
    with pytest.raises((RtlMismatchError, SimulationError), match=r"is wrong|is not defined"):
        check_ghdl_stream(replace(written, directory=tmp_path / "r"), stream(written.design, 300))


@needs_ghdl
@pytest.mark.parametrize(("length", "cells"), [(1, 1), (2, 1), (1, 4), (2, 4)])
def test_ghdl_agrees_on_short_histories(tmp_path, length, cells):
    network = random_network(7, 2, length)
    design = write_rtl(
        network, rtl_params(adders_per_stage=3, clock_period_ns=5.0, cells=cells), tmp_path
    )
    line = check_ghdl_stream(WrittenNetwork(network, design, tmp_path), stream(design, 200))
    assert line.endswith("200 windows, 0 mismatches")


@needs_ghdl
def test_ghdl_finds_the_core_of_another_network(written):
    other = random_network(6, 3, 3, state=fixed(6, 2, signed=False))
    with pytest.raises(MismatchError, match=r"ghdl_stream differs from golden .*first in window"):
        check_ghdl_stream(replace(written, network=other), stream(written.design, 100))


@needs_ghdl
def test_ghdl_finds_a_wrong_latency(written):
    design = written.design
    late = design.model_copy(update={"latency_cycles": design.latency_cycles + 1})
    with pytest.raises(RtlMismatchError, match="ghdl_stream: energy_valid is wrong"):
        check_ghdl_stream(replace(written, design=late), stream(design, 100))


@pytest.mark.parametrize(
    ("line", "found"),
    [("0 0 UUU UUUU", (0, 0, 0)), ("1 0 101 0011", (2, 0, 0)), ("0 1 101 0011", (1, 5, 3))],
)
def test_lines_of_the_bench(line, found):
    assert ghdl_stream._clock(line) == found


@pytest.mark.parametrize("line", ["U 0 000 0000", "0 U 000 0000", "0 1 000 0U00", "0 1 U00 0000"])
def test_what_is_not_defined_is_an_error(line):
    with pytest.raises(SimulationError, match="not defined"):
        ghdl_stream._clock(line)
