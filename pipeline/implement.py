"""Stage ``implement``: area, netlist simulation and clock of the streaming core.

Reads models/integer.json, models/rtl/, models/firmware/, models/firmware_oneapi/,
data/prepared.h5 (test split) and metrics/finetune.json; writes metrics/implement.json,
metrics/implement.md and metrics/plots/implement/area.png. A netlist that is not the network
fails the stage. An LSTM or a GRU has no RTL: the report says so, the metrics are
``available: 0``.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from pipeline.base.errors import run_stage
from pipeline.base.files import read_json, replacing_directory, write_json, write_text
from pipeline.base.schema import read
from pipeline.firmware.rtl.project import read_design
from pipeline.firmware.rtl.verilator import require_verilator
from pipeline.firmware.synthesis.implementation import (
    Core,
    ImplementOptions,
    implement_all,
    require_same_network,
)
from pipeline.firmware.synthesis.nextpnr import nextpnr
from pipeline.firmware.vendors.tools import check_parts, run_vendor_tools
from pipeline.integers.fixed_point import quantize
from pipeline.integers.network import INTEGER_NETWORK, NO_RTL, IntegerNetwork
from pipeline.params import load_params
from pipeline.presentation.style import drawing, save_png
from pipeline.reports.area_plot import area_figure
from pipeline.reports.implementation import markdown
from pipeline.samples.prepared import PREPARED, read_prepared

RTL = Path("models/rtl")
HLS, ONEAPI = Path("models/firmware"), Path("models/firmware_oneapi")
METRICS, REPORT = Path("metrics/implement.json"), Path("metrics/implement.md")
PLOTS = Path("metrics/plots/implement")


def main() -> None:
    """Run the stage in the working directory."""
    everything = load_params()
    params, parts = everything.implement, everything.synthesize
    network = read(IntegerNetwork, INTEGER_NETWORK)
    if not network.exact:
        write_json(METRICS, {"available": 0})
        write_text(REPORT, f"{NO_RTL}\n")
        with replacing_directory(PLOTS):
            print(NO_RTL)
        return
    require_verilator()
    check_parts(parts.part, params.intel_device)
    design = read_design(RTL)
    require_same_network(network, design)
    finetune = read_json(Path("metrics/finetune.json"))
    test = read_prepared(PREPARED).test
    samples = quantize(test.for_network(network).scaled_samples(), network.input)
    options = ImplementOptions(params.netlist_windows, params.route, params.seed, params.timeout_s)
    families = params.families
    by_name = {}
    with tempfile.TemporaryDirectory(prefix="implement-") as temporary:
        work = Path(temporary)
        core = Core(network, design, RTL, samples)
        with closing(implement_all(core, families, options, work)) as done:
            for one in tqdm(done, total=len(families), unit="family", disable=None):
                by_name[one.name] = one
                tqdm.write(f"{one.title}: {one.metrics()}")
        vendors = run_vendor_tools(
            design,
            RTL,
            HLS,
            ONEAPI,
            parts.part,
            params.intel_device,
            work / "vendor",
            params.timeout_s,
        )
    found = [by_name[family] for family in families]
    remarks = []
    if params.route and nextpnr() is None:
        remarks.append("nextpnr-ecp5 is not installed: not placed and routed")
    metrics = {one.name: one.metrics() for one in found}
    metrics |= {run.tool.lower().replace(" ", "_"): run.figures for run in vendors if run.figures}
    write_json(METRICS, metrics)
    write_text(REPORT, markdown(design, found, finetune, vendors, remarks))
    with drawing():
        save_png(area_figure(found), PLOTS / "area.png")
    for remark in (*(run.line for run in vendors), *remarks):
        print(remark)


if __name__ == "__main__":
    run_stage(main)
