"""The traced network as Verilog and VHDL files, the same bytes for the same network.

::

    verilog/<top>.v                the network: clk, window, energy
    verilog/<top>_core*.v          da4ml's pipeline and its stages
    verilog/<top>_stream.v         one sample a clock, many cells: `rtl_stream`
    verilog/shift_adder.v ...      da4ml's building blocks
    vhdl/<top>.vhd, ...            the same network and streaming core in VHDL 2008
    <top>.sdc, <top>.xdc           the clock, for Intel and AMD
    design.json                    ports, latency and clock as numbers
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.base.files import ArtifactError, read_json, write_json, write_text
from pipeline.firmware.rtl.shift_adds import RtlError, TracedNetwork, trace_network
from pipeline.firmware.rtl.verilog_stream import stream_verilog
from pipeline.firmware.rtl.vhdl_stream import stream_vhdl
from pipeline.integers.network import IntegerNetwork
from pipeline.params.identifiers import check_rtl_name

_FILE = re.compile(r"[A-Za-z0-9_]+\.v")
_BLOCKS = ("multiplier", "mux", "negative", "shift_adder")
_PRAGMA = re.compile(r"^\s*// verilator lint_.*\n", re.MULTILINE)

DESIGN = "design.json"
MAX_SAMPLE_BITS = 32
MAX_CELLS = 1024


@dataclass(frozen=True)
class RtlOptions:
    """What is built.

    Attributes
    ----------
    top
        Name of the top module; see `pipeline.params.identifiers.check_rtl_name`.
    adders_per_stage
        Adders in a row between two registers.
    clock_period_ns
        Goes into the constraints, and turns cycles into ns.
    cells
        Cells that one streaming core serves, each with one sample in `cells` clocks.
    """

    top: str
    adders_per_stage: int
    clock_period_ns: float
    cells: int

    def __post_init__(self) -> None:
        _check_top(self.top)
        if self.adders_per_stage < 1:
            raise RtlError(f"adders_per_stage: expected at least 1, found {self.adders_per_stage}")
        if not 0 < self.clock_period_ns < float("inf"):
            raise RtlError(f"clock_period_ns: expected > 0, found {self.clock_period_ns}")
        if not 1 <= self.cells <= MAX_CELLS:
            raise RtlError(f"cells: expected 1 to {MAX_CELLS}, found {self.cells}")


@dataclass(frozen=True)
class RtlDesign:
    """What a reader of the files has to know.

    Attributes
    ----------
    top, cells, clock_period_ns
        As in `RtlOptions`.
    window_length, sample_bits
        ``window`` has ``window_length * sample_bits`` bits, oldest sample lowest.
    energy_bits
        Bits of ``energy``: the output type.
    stages
        Stages of logic between registers.
    latency_cycles
        Clock edges from a window (the last sample of it) to its energy.
    adder_operations
        Operations that da4ml placed, a measure of size.
    """

    top: str
    cells: int
    clock_period_ns: float
    window_length: int
    sample_bits: int
    energy_bits: int
    stages: int
    latency_cycles: int
    adder_operations: int

    def __post_init__(self) -> None:
        """Check everything: names and numbers go into scripts, text and sizes of arrays."""
        _check_top(self.top)
        period = self.clock_period_ns
        if type(period) not in (int, float) or not 0 < period < float("inf"):
            raise RtlError(f"clock_period_ns: expected a number above 0, found {period!r}")
        limits = {
            "cells": (1, MAX_CELLS),
            "window_length": (1, None),
            "sample_bits": (1, MAX_SAMPLE_BITS),
            "energy_bits": (1, MAX_SAMPLE_BITS),
            "stages": (0, None),
            "latency_cycles": (1, None),
            "adder_operations": (0, None),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if type(value) is not int or value < low or (high is not None and value > high):
                bounds = f"at least {low}" if high is None else f"{low} to {high}"
                raise RtlError(f"{name}: expected a whole number, {bounds}, found {value!r}")

    @property
    def cell_bits(self) -> int:
        """Bits of a cell's number."""
        return max(1, (self.cells - 1).bit_length())


def write_rtl(network: IntegerNetwork, options: RtlOptions, directory: Path) -> RtlDesign:
    """Write all files into a new or empty directory.

    Raises
    ------
    RtlError, AccumulatorError
        If `directory` is in use, or the network cannot be built.
    """
    if directory.exists() and any(directory.iterdir()):
        raise RtlError(f"{directory}: not empty")
    if network.input.bits > MAX_SAMPLE_BITS or network.output.bits > MAX_SAMPLE_BITS:
        raise RtlError(f"samples and energies are limited to {MAX_SAMPLE_BITS} bits")
    traced = trace_network(network, options.adders_per_stage)
    design = RtlDesign(
        top=options.top,
        cells=options.cells,
        clock_period_ns=options.clock_period_ns,
        window_length=network.window_length,
        sample_bits=network.input.bits,
        energy_bits=network.output.bits,
        stages=traced.stages,
        latency_cycles=traced.latency_cycles,
        adder_operations=traced.operations,
    )
    _write_da4ml(traced, options.top, directory)
    write_text(directory / "verilog" / f"{options.top}.v", _verilog_top(design, traced))
    write_text(directory / "verilog" / f"{options.top}_stream.v", stream_verilog(design))
    write_text(directory / "vhdl" / f"{options.top}.vhd", _vhdl_top(design, traced))
    write_text(directory / "vhdl" / f"{options.top}_stream.vhd", stream_vhdl(design))
    clock = f"create_clock -period {options.clock_period_ns:g} -name clk [get_ports clk]\n"
    for suffix in ("sdc", "xdc"):
        write_text(directory / f"{options.top}.{suffix}", clock)
    write_json(directory / DESIGN, asdict(design))
    return design


def read_design(directory: Path) -> RtlDesign:
    """Read ``design.json`` of a directory that `write_rtl` wrote.

    Raises
    ------
    ArtifactError
        Naming the file and what is wrong in it; it may come from anywhere, and what it
        says goes into scripts.
    """
    path = directory / DESIGN
    try:
        return RtlDesign(**read_json(path))
    except (TypeError, RtlError) as error:
        raise ArtifactError(f"{path}: not a description of RTL: {error}") from None


def verilog_files(directory: Path, stream: bool) -> list[Path]:
    """Verilog of the network, and of the streaming core if asked for.

    Raises
    ------
    RtlError
        If a file is there whose name could be more than a name in a tool's script.
    """
    found = sorted((directory / "verilog").glob("*.v"))
    for path in found:
        if not _FILE.fullmatch(path.name):
            raise RtlError(f"{directory}: expected files {_FILE.pattern}, found {path.name!r}")
    return [path for path in found if stream or not path.name.endswith("_stream.v")]


def _check_top(top: object) -> None:
    try:
        check_rtl_name(top)
    except ValueError as error:
        raise RtlError(f"top: {error}, found {top!r}") from None


def _write_da4ml(traced: TracedNetwork, top: str, directory: Path) -> None:
    """da4ml's own text, less its latency estimates and linter pragmas."""
    from da4ml.codegen.rtl import verilog, vhdl

    for package, folder, suffix in ((verilog, "verilog", "v"), (vhdl, "vhdl", "vhd")):
        codes = package.pipeline_logic_gen(traced.pipeline, f"{top}_core", False)
        for name, text in codes.items():
            write_text(directory / folder / f"{name}.{suffix}", _PRAGMA.sub("", text))
        source = Path(package.__file__).parent / "source"
        for block in _BLOCKS:
            text = (source / f"{block}.{suffix}").read_text(encoding="utf-8")
            write_text(directory / folder / f"{block}.{suffix}", _PRAGMA.sub("", text))


def _padding(design: RtlDesign, traced: TracedNetwork) -> tuple[int, int, int]:
    """Bits to put below and above da4ml's output, and how many of its bits are kept."""
    below = traced.output_step.bit_length() - 1
    kept = min(traced.output_bits, design.energy_bits - below)
    return below, design.energy_bits - below - kept, kept


def _verilog_top(design: RtlDesign, traced: TracedNetwork) -> str:
    below, above, kept = _padding(design, traced)
    sign = f"found[{kept - 1}]" if traced.output_low < 0 else "1'b0"
    parts = [f"{{{above}{{{sign}}}}}"] if above else []
    parts.append(f"found[{kept - 1}:0]")
    parts += [f"{below}'d0"] if below else []
    window = design.window_length * design.sample_bits
    return f"""`timescale 1 ns / 1 ps

// The whole network: energy of the window that was at the input {design.latency_cycles} clock
// edges before. The oldest sample is in the lowest bits of `window`.
module {design.top} (
    input clk,
    input [{window - 1}:0] window,
    output [{design.energy_bits - 1}:0] energy
);
    wire [{traced.output_bits - 1}:0] found;
    {design.top}_core core (.clk(clk), .model_inp(window), .model_out(found));
    assign energy = {{{", ".join(parts)}}};
endmodule
"""


def _vhdl_top(design: RtlDesign, traced: TracedNetwork) -> str:
    below, above, kept = _padding(design, traced)
    sign = f"found({kept - 1})" if traced.output_low < 0 else "'0'"
    lines = [f"    energy({below + kept - 1} downto {below}) <= found({kept - 1} downto 0);"]
    if above:
        high = design.energy_bits - 1
        lines.append(f"    energy({high} downto {below + kept}) <= (others => {sign});")
    if below:
        lines.append(f"    energy({below - 1} downto 0) <= (others => '0');")
    window = design.window_length * design.sample_bits
    body = "\n".join(lines)
    return f"""library ieee;
use ieee.std_logic_1164.all;

-- The whole network: energy of the window that was at the input {design.latency_cycles} clock
-- edges before. The oldest sample is in the lowest bits of `window`.
entity {design.top} is
    port (
        clk : in std_logic;
        window : in std_logic_vector({window - 1} downto 0);
        energy : out std_logic_vector({design.energy_bits - 1} downto 0)
    );
end entity;

architecture rtl of {design.top} is
    signal found : std_logic_vector({traced.output_bits - 1} downto 0);
begin
    core : entity work.{design.top}_core port map (
        clk => clk, model_inp => window, model_out => found
    );
{body}
end architecture;
"""
