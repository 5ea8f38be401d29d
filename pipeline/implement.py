"""Stage ``implement``: area, netlist simulation and clock of the streaming core.

Reads models/integer.json, models/rtl/, models/firmware/, models/firmware_oneapi/ and
data/prepared.h5 (test split); writes models/implementation.json and metrics/implement.json.
`report` makes tables and figures of them. A netlist that is not the network fails the stage.
Vendors' tools run where they are installed; their figures are printed and written to
logs/implement.txt, which is not tracked, so that the other files are the same everywhere. An LSTM
or a GRU has no RTL: the file says so, the metrics are ``available: 0``.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from pipeline.artifacts.design import DESIGN, RtlDesign
from pipeline.artifacts.implementation import IMPLEMENTATION, Implementation
from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_json, write_text
from pipeline.base.schema import read, write
from pipeline.firmware.rtl.verilator import require_verilator
from pipeline.firmware.synthesis.implementation import (
    Core,
    family_line,
    family_metrics,
    implement_all,
    netlist_clocks,
    require_same_network,
)
from pipeline.firmware.vendors.tools import VendorProjects, check_parts, run_vendor_tools
from pipeline.integers.fixed_point import quantize
from pipeline.integers.network import INTEGER_NETWORK, NO_RTL, IntegerNetwork
from pipeline.params import load_params
from pipeline.samples.prepared import PREPARED, read_prepared

RTL = Path("models/rtl")
HLS, ONEAPI = Path("models/firmware"), Path("models/firmware_oneapi")
METRICS, LOG = Path("metrics/implement.json"), Path("logs/implement.txt")


def main() -> None:
    """Run the stage in the working directory."""
    everything = load_params()
    params, amd_part = everything.implement, everything.synthesize.part
    network = read(IntegerNetwork, INTEGER_NETWORK)
    if not network.exact:
        write(IMPLEMENTATION, Implementation(no_rtl=NO_RTL))
        write_json(METRICS, {"available": 0})
        print(NO_RTL)
        return
    require_verilator()
    check_parts(amd_part, params.intel_device)
    design = read(RtlDesign, RTL / DESIGN)
    require_same_network(network, design)
    test = read_prepared(PREPARED).test
    samples = quantize(test.for_network(network).scaled_samples(), network.input)
    clocks = netlist_clocks(samples, design, params.netlist_windows, params.seed)
    by_name = {}
    with tempfile.TemporaryDirectory(prefix="implement-") as temporary:
        work = Path(temporary)
        with closing(implement_all(Core(network, design, RTL, clocks), params, work)) as done:
            for one in tqdm(done, total=len(params.families), unit="family", disable=None):
                by_name[one.name] = one
                tqdm.write(f"{one.title}: {family_metrics(one)}")
        projects = VendorProjects(design, RTL, HLS, ONEAPI, amd_part, params.intel_device)
        runs = run_vendor_tools(projects, work / "vendor", params.timeout_s)
    families = [by_name[family] for family in params.families]
    write(IMPLEMENTATION, Implementation(design=design, families=families))
    write_json(METRICS, {one.name: family_metrics(one) for one in families})
    report = "".join(f"{run.line}\n" for run in runs)
    print(report, end="")
    write_text(LOG, report)
    say(f"implement: {'; '.join(map(family_line, families))}; {IMPLEMENTATION}, {METRICS}")


if __name__ == "__main__":
    run_stage(main)
