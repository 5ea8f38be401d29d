"""The streaming core in VHDL, simulated clock by clock where GHDL is installed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from pipeline.artifacts.design import RtlDesign
from pipeline.firmware.event_simulation.icarus_ghdl import WrittenNetwork
from pipeline.firmware.processes import copied, run_tool
from pipeline.firmware.rtl.simulation import compare_stream
from pipeline.firmware.rtl.stream_clocks import StreamClocks
from pipeline.firmware.rtl.verilator import U32, SimulationError

_TIMEOUT_S = 600.0
_NAME = "ghdl_stream"

# One row a clock: reset, valid, cell, sample, each as bits.
_BENCH = """library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity stream_bench is
end entity;

architecture test of stream_bench is
    signal clk : std_logic := '0';
    signal entering : std_logic_vector({entering_high} downto 0) := (others => '0');
    signal out_of_turn, energy_valid : std_logic;
    signal cell_out : std_logic_vector({cell_high} downto 0);
    signal energy : std_logic_vector({energy_high} downto 0);
begin
    dut : entity work.{top}_stream port map (
        clk => clk,
        reset => entering({entering_high}),
        valid => entering({entering_high} - 1),
        cell_id => entering({entering_high} - 2 downto {sample_high} + 1),
        sample => entering({sample_high} downto 0),
        out_of_turn => out_of_turn,
        energy_valid => energy_valid,
        cell_out => cell_out,
        energy => energy
    );
    process
        file source : text open read_mode is "clocks.txt";
        variable row, written : line;
        variable bits : bit_vector({entering_high} downto 0);
    begin
        while not endfile(source) loop
            readline(source, row);
            read(row, bits);
            entering <= to_stdlogicvector(bits);
            wait for 1 ns;
            clk <= '1';
            wait for 1 ns;
            write(written, "E" & to_string(out_of_turn) & " " & to_string(energy_valid) & " "
                & to_string(cell_out) & " " & to_string(energy));
            writeline(output, written);
            clk <= '0';
        end loop;
        wait;
    end process;
end architecture;
"""


def check_ghdl_stream(written: WrittenNetwork, clocks: StreamClocks | None) -> str:
    """Simulate the streaming core's VHDL if GHDL is on ``PATH``.

    Parameters
    ----------
    written
        What is simulated.
    clocks
        What enters; None simulates nothing.

    Returns
    -------
    A line: how many windows agree, or why nothing was simulated.

    Raises
    ------
    MismatchError, RtlMismatchError, SimulationError
        If an energy or a flag is wrong, or GHDL refuses the text.
    """
    title = "ghdl, streaming core"
    if shutil.which("ghdl") is None:
        return f"{title}: ghdl not on PATH, not simulated"
    if clocks is None:
        return f"{title}: no windows asked for, not simulated"
    design, directory = written.design, written.directory
    comparison = compare_stream(
        written.network, design, clocks, lambda rows: _simulate(design, directory, rows), _NAME
    )
    return f"{title}: {comparison.windows} windows, {comparison.mismatches} mismatches"


def _simulate(design: RtlDesign, directory: Path, rows: U32) -> U32:
    fields = f"0{design.cell_bits}b", f"0{design.sample_bits}b"
    lines = [
        f"{flags >> 1}{flags & 1}{cell:{fields[0]}}{sample:{fields[1]}}\n"
        for flags, cell, sample in rows.tolist()
    ]
    bench = _BENCH.format(
        top=design.top,
        entering_high=design.cell_bits + design.sample_bits + 1,
        sample_high=design.sample_bits - 1,
        cell_high=design.cell_bits - 1,
        energy_high=design.energy_bits - 1,
    )
    with tempfile.TemporaryDirectory(prefix="ghdl-stream-") as temporary:
        work = Path(temporary)
        files = copied(sorted((directory / "vhdl").glob("*.vhd")), work)
        (work / "clocks.txt").write_text("".join(lines))
        (work / "bench.vhd").write_text(bench)
        output = ""
        for arguments in (
            ["-i", "--std=08", *files, "bench.vhd"],
            ["-m", "--std=08", "stream_bench"],
            ["-r", "--std=08", "stream_bench", "--ieee-asserts=disable"],
        ):
            output = run_tool("ghdl", ["ghdl", *arguments], work, _TIMEOUT_S, SimulationError)
    rows_out = [_clock(line[1:]) for line in output.splitlines() if line.startswith("E")]
    return np.array(rows_out, dtype=np.uint32).reshape(-1, 3)


def _clock(line: str) -> tuple[int, int, int]:
    """Read one clock's outputs; cell and energy, not defined before the first one, as 0 then."""
    out_of_turn, energy_valid, cell, energy = line.split()
    if energy_valid not in ("0", "1") or out_of_turn not in ("0", "1"):
        raise SimulationError(f"a flag of the streaming core is not defined: {line}")
    if energy_valid == "0":
        return 2 * int(out_of_turn), 0, 0
    if set(cell + energy) - {"0", "1"}:
        raise SimulationError(f"a valid energy is not defined: {line}")
    return 1 + 2 * int(out_of_turn), int(cell, 2), int(energy, 2)
