"""The network as Verilog and VHDL files, the same bytes for the same network.

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
from pathlib import Path

from pipeline.artifacts.design import DESIGN, MAX_SAMPLE_BITS, RtlDesign
from pipeline.base import schema
from pipeline.base.files import write_text
from pipeline.firmware.rtl.shift_adds import AdderGraph, RtlError, adder_graph
from pipeline.firmware.rtl.verilog_stream import stream_verilog
from pipeline.firmware.rtl.vhdl_stream import stream_vhdl
from pipeline.integers.network import IntegerNetwork
from pipeline.params.firmware import RtlParams

_FILE = re.compile(r"[A-Za-z0-9_]+\.v")
_BLOCKS = ("multiplier", "mux", "negative", "shift_adder")
_PRAGMA = re.compile(r"^\s*// verilator lint_.*\n", re.MULTILINE)


def write_rtl(network: IntegerNetwork, params: RtlParams, directory: Path) -> RtlDesign:
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
    graph = adder_graph(network, params.adders_per_stage)
    design = RtlDesign(
        top=params.top,
        cells=params.cells,
        clock_period_ns=params.clock_period_ns,
        window_length=network.window_length,
        sample_bits=network.input.bits,
        energy_bits=network.output.bits,
        stages=graph.stages,
        latency_cycles=graph.latency_cycles,
        adder_operations=graph.operations,
    )
    _write_da4ml(graph, design, directory)
    write_text(directory / "verilog" / f"{params.top}.v", _verilog_top(design, graph))
    write_text(directory / "verilog" / f"{params.top}_stream.v", stream_verilog(design))
    write_text(directory / "vhdl" / f"{params.top}.vhd", _vhdl_top(design, graph))
    write_text(directory / "vhdl" / f"{params.top}_stream.vhd", stream_vhdl(design))
    clock = f"create_clock -period {params.clock_period_ns:g} -name clk [get_ports clk]\n"
    for suffix in ("sdc", "xdc"):
        write_text(directory / f"{params.top}.{suffix}", clock)
    schema.write(directory / DESIGN, design)
    return design


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


def _write_da4ml(graph: AdderGraph, design: RtlDesign, directory: Path) -> None:
    """da4ml's own text, less its latency estimates and linter pragmas."""
    from da4ml.codegen.rtl import verilog, vhdl

    for package, folder, suffix in ((verilog, "verilog", "v"), (vhdl, "vhdl", "vhd")):
        codes = package.pipeline_logic_gen(graph.pipeline, f"{design.top}_core", False)
        _check_ports(codes[f"{design.top}_core"], design, graph)
        for name, text in codes.items():
            write_text(directory / folder / f"{name}.{suffix}", _PRAGMA.sub("", text))
        source = Path(package.__file__).parent / "source"
        for block in _BLOCKS:
            text = (source / f"{block}.{suffix}").read_text(encoding="utf-8")
            write_text(directory / folder / f"{block}.{suffix}", _PRAGMA.sub("", text))


_PORT = {
    name: re.compile(rf"\[(\d+):0\] {name}\b|{name}:\w+ std_logic_vector\((\d+) downto 0\)")
    for name in ("model_inp", "model_out")
}


def _check_ports(text: str, design: RtlDesign, graph: AdderGraph) -> None:
    """Check that da4ml's ports are as wide as the wrapper connects them.

    A language would connect other widths without a word, Verilog by cutting bits off.
    """
    wanted = {
        "model_inp": design.window_length * design.sample_bits,
        "model_out": graph.output_bits,
    }
    for name, bits in wanted.items():
        port = _PORT[name].search(text)
        found = 0 if port is None else int(port[1] or port[2]) + 1
        if found != bits:
            raise RtlError(f"da4ml's port {name}: expected {bits} bits, found {found}")


def _padding(design: RtlDesign, graph: AdderGraph) -> tuple[int, int, int]:
    """Bits to put below and above da4ml's output, and how many of its bits are kept."""
    below = graph.output_step.bit_length() - 1
    kept = min(graph.output_bits, design.energy_bits - below)
    return below, design.energy_bits - below - kept, kept


def _verilog_top(design: RtlDesign, graph: AdderGraph) -> str:
    below, above, kept = _padding(design, graph)
    sign = f"found[{kept - 1}]" if graph.output_low < 0 else "1'b0"
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
    wire [{graph.output_bits - 1}:0] found;
    {design.top}_core core (.clk(clk), .model_inp(window), .model_out(found));
    assign energy = {{{", ".join(parts)}}};
endmodule
"""


def _vhdl_top(design: RtlDesign, graph: AdderGraph) -> str:
    below, above, kept = _padding(design, graph)
    sign = f"found({kept - 1})" if graph.output_low < 0 else "'0'"
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
    signal found : std_logic_vector({graph.output_bits - 1} downto 0);
begin
    core : entity work.{design.top}_core port map (
        clk => clk, model_inp => window, model_out => found
    );
{body}
end architecture;
"""
