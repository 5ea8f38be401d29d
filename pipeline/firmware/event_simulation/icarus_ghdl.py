"""Icarus (Verilog) and GHDL (VHDL), where they are installed: a second opinion on few windows.

They need about 20 ms for a window. GHDL is the only one here that reads the VHDL.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.artifacts.design import RtlDesign
from pipeline.base.arrays import I64
from pipeline.firmware.processes import copied, run_tool
from pipeline.firmware.rtl.project import verilog_files
from pipeline.firmware.rtl.simulation import GOLDEN
from pipeline.firmware.rtl.verilator import SimulationError
from pipeline.integers import golden
from pipeline.integers.compare import compare, require_agreement
from pipeline.integers.fixed_point import dequantize
from pipeline.integers.network import IntegerNetwork

_TIMEOUT_S = 600.0

_VERILOG_BENCH = """`timescale 1 ns / 1 ps
module bench;
    reg clk = 0;
    reg [{window_high}:0] windows [0:{last}];
    reg [{window_high}:0] window = 0;
    wire [{energy_high}:0] energy;
    integer clock;
    {top} dut (.clk(clk), .window(window), .energy(energy));
    initial begin
        $readmemb("windows.txt", windows);
        for (clock = 0; clock < {clocks}; clock = clock + 1) begin
            window = windows[clock > {last} ? {last} : clock];
            #1 clk = 1;
            #1 $display("E%b", energy);
            clk = 0;
        end
        $finish;
    end
endmodule
"""

_VHDL_BENCH = """library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity bench is
end entity;

architecture test of bench is
    signal clk : std_logic := '0';
    signal window : std_logic_vector({window_high} downto 0) := (others => '0');
    signal energy : std_logic_vector({energy_high} downto 0);
begin
    dut : entity work.{top} port map (clk => clk, window => window, energy => energy);
    process
        file source : text open read_mode is "windows.txt";
        variable row, written : line;
        variable bits : bit_vector({window_high} downto 0);
    begin
        for clock in 0 to {clocks} - 1 loop
            if not endfile(source) then
                readline(source, row);
                read(row, bits);
                window <= to_stdlogicvector(bits);
            end if;
            wait for 1 ns;
            clk <= '1';
            wait for 1 ns;
            write(written, "E" & to_string(energy));
            writeline(output, written);
            clk <= '0';
        end loop;
        wait;
    end process;
end architecture;
"""


@dataclass(frozen=True)
class WrittenNetwork:
    """A network and the RTL that was written of it.

    Attributes
    ----------
    network, design
        The network, and what the RTL is.
    directory
        Where `pipeline.firmware.rtl.project.write_rtl` wrote.
    """

    network: IntegerNetwork
    design: RtlDesign
    directory: Path


@dataclass(frozen=True)
class _Simulator:
    """A simulator of windows.

    Attributes
    ----------
    name, program
        In messages; on ``PATH``.
    simulate
        Takes design, directory of the RTL, directory to work in and the number of windows;
        returns lines with energies.
    """

    name: str
    program: str
    simulate: Callable[[RtlDesign, Path, Path, int], str]


def check_event_simulators(written: WrittenNetwork, integers: I64) -> list[str]:
    """Simulate windows with each simulator that is on ``PATH``.

    Parameters
    ----------
    written
        What is simulated.
    integers
        int64 (n, window_length) of the input type; none simulates nothing.

    Returns
    -------
    For each simulator a line: how many windows agree, or why nothing was simulated.

    Raises
    ------
    MismatchError, SimulationError
        If an energy differs, or a simulator refuses the text.
    """
    simulators = _Simulator("icarus", "iverilog", _icarus), _Simulator("ghdl", "ghdl", _ghdl)
    return [_check(simulator, written, integers) for simulator in simulators]


def _check(simulator: _Simulator, written: WrittenNetwork, integers: I64) -> str:
    name, network, design = simulator.name, written.network, written.design
    if shutil.which(simulator.program) is None:
        return f"{name}: {simulator.program} not on PATH, not simulated"
    if len(integers) == 0:
        return f"{name}: no windows asked for, not simulated"
    of = network.output
    expected = golden.evaluate_integers(network, integers)
    with tempfile.TemporaryDirectory(prefix="rtl-events-") as temporary:
        work = Path(temporary)
        rows = "".join(_row(window, design.sample_bits) + "\n" for window in integers)
        (work / "windows.txt").write_text(rows)
        output = simulator.simulate(design, written.directory, work, len(integers))
    late = [line[1:] for line in output.splitlines() if line.startswith("E")]
    late = late[design.latency_cycles - 1 :][: len(integers)]
    energies = np.array([_integer(bits, of.signed) for bits in late], dtype=np.int64)
    comparison = compare(
        network, (GOLDEN, dequantize(expected, of)), (name, dequantize(energies, of))
    )
    require_agreement(comparison, 0.0, "the RTL does not name its inner tensors")
    return f"{name}: {comparison.windows} windows, {comparison.mismatches} mismatches"


def _icarus(design: RtlDesign, directory: Path, work: Path, n_windows: int) -> str:
    (work / "bench.v").write_text(_bench(_VERILOG_BENCH, design, n_windows))
    files = copied(verilog_files(directory, stream=False), work)
    _run(["iverilog", "-g2012", "-o", "bench.vvp", "-s", "bench", "bench.v", *files], work)
    return _run(["vvp", "-n", "bench.vvp"], work)


def _ghdl(design: RtlDesign, directory: Path, work: Path, n_windows: int) -> str:
    (work / "bench.vhd").write_text(_bench(_VHDL_BENCH, design, n_windows))
    files = copied(sorted((directory / "vhdl").glob("*.vhd")), work)
    _run(["ghdl", "-i", "--std=08", *files, "bench.vhd"], work)
    _run(["ghdl", "-m", "--std=08", "bench"], work)
    return _run(["ghdl", "-r", "--std=08", "bench", "--ieee-asserts=disable"], work)


def _bench(text: str, design: RtlDesign, n_windows: int) -> str:
    return text.format(
        top=design.top,
        window_high=design.window_length * design.sample_bits - 1,
        energy_high=design.energy_bits - 1,
        last=n_windows - 1,
        clocks=n_windows + design.latency_cycles,
    )


def _run(command: list[str], work: Path) -> str:
    return run_tool(command[0], command, work, _TIMEOUT_S, SimulationError)


def _row(window: I64, bits: int) -> str:
    """One window as a row of bits, the newest sample first."""
    return "".join(format(int(sample) & ((1 << bits) - 1), f"0{bits}b") for sample in window[::-1])


def _integer(bits: str, signed: bool) -> int:
    """Bits as a number; anything but 0 and 1 is an error."""
    if set(bits) - {"0", "1"}:
        raise SimulationError(f"an energy is not defined: {bits}")
    value = int(bits, 2)
    return value - (1 << len(bits)) if signed and bits[0] == "1" else value
