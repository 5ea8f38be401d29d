"""Stage ``rtl``: the network as Verilog and VHDL; the Verilog is proved equal to the golden model.

Reads models/integer.json and data/prepared.h5 (test split); writes models/rtl/ and
metrics/rtl.json. Every test window goes through the simulated Verilog, a random stream with gaps,
broken turns and resets through the streaming core. Where Icarus and GHDL are installed, and only
there, they simulate ``rtl.event_windows`` windows, GHDL those of the VHDL; the outcome is printed
and written to logs/rtl.txt, which is not tracked. On a mismatch nothing is written. An LSTM or a
GRU has no golden model: then models/rtl/ holds a line that says so, and the metrics
``available: 0``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline.base.errors import run_stage, say
from pipeline.base.files import replacing_directory, write_json, write_text
from pipeline.base.schema import read
from pipeline.firmware.event_simulation.ghdl_stream import check_ghdl_stream
from pipeline.firmware.event_simulation.icarus_ghdl import WrittenNetwork, check_event_simulators
from pipeline.firmware.rtl.project import verilog_files, write_rtl
from pipeline.firmware.rtl.simulation import check_network, check_stream, rtl_metrics
from pipeline.firmware.rtl.stream_clocks import random_stream
from pipeline.firmware.rtl.verilator import require_verilator
from pipeline.integers.fixed_point import quantize
from pipeline.integers.network import INTEGER_NETWORK, NO_RTL, NOT_AVAILABLE, IntegerNetwork
from pipeline.params import load_params
from pipeline.samples.prepared import PREPARED, read_prepared

RTL, METRICS = Path("models/rtl"), Path("metrics/rtl.json")
LOG = Path("logs/rtl.txt")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params().rtl
    network = read(IntegerNetwork, INTEGER_NETWORK)
    if not network.exact:
        with replacing_directory(RTL) as directory:
            write_text(directory / NOT_AVAILABLE, f"{NO_RTL}\n")
        write_json(METRICS, {"available": 0})
        print(NO_RTL)
        return
    print(f"Verilator: {require_verilator().origin}")
    test = read_prepared(PREPARED).test
    samples = quantize(test.for_network(network).scaled_samples(), network.input)
    windows = test.windows(samples)

    with replacing_directory(RTL) as directory:
        design = write_rtl(network, params, directory)
        stream = partial(
            random_stream,
            samples,
            design,
            gap_probability=params.stream_gap_probability,
            seed=params.stream_seed,
        )
        alone, whole = (verilog_files(directory, with_stream) for with_stream in (False, True))
        simulated = check_network(network, design, alone, windows)
        streamed = check_stream(network, design, whole, stream(params.stream_windows))
        few, written = params.event_windows, WrittenNetwork(network, design, directory)
        lines = check_event_simulators(written, windows[:few])
        lines.append(check_ghdl_stream(written, stream(few) if few else None))
        report = "\n".join(lines)
        print(report)
    write_json(METRICS, rtl_metrics(design, simulated, streamed))
    write_text(LOG, f"{report}\n")
    window, through = simulated.comparison, streamed
    say(
        f"rtl: {window.windows} windows, {window.mismatches} mismatches; streaming core "
        f"{through.windows} windows, {through.mismatches} mismatches; "
        f"{simulated.latency_cycles} cycles of {params.clock_period_ns:g} ns; {RTL}/, {METRICS}",
    )


if __name__ == "__main__":
    run_stage(main)
