"""The report of the stage ``implement``: one core and many, against the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.base.units import BC_NS, NS_TIMES_MHZ, PJ_PER_NJ
from pipeline.firmware.rtl.project import RtlDesign
from pipeline.firmware.synthesis.implementation import ImplementationError, Implemented
from pipeline.firmware.synthesis.nextpnr import DEVICE
from pipeline.firmware.vendors.tools import VendorRun
from pipeline.reports.budget import (
    BUDGET_CELLS,
    BUDGET_NS,
    DEVICES,
    OTHER_CELLS,
    cores_needed,
    share_percent,
)


def markdown(
    design: RtlDesign,
    found: Sequence[Implemented],
    finetune: dict[str, Any],
    vendors: Sequence[VendorRun],
    remarks: Sequence[str],
) -> str:
    """Return the report: tables against the budget, and next to published designs.

    Raises
    ------
    ImplementationError
        If a figure of the stage finetune is missing.
    """
    for key in ("energy_nj", "validation_rmse_mev"):
        if not isinstance(finetune.get(key), float):
            raise ImplementationError(f"metrics of finetune: no number {key}")
    latency_ns = design.latency_cycles * design.clock_period_ns
    clock_mhz = NS_TIMES_MHZ / design.clock_period_ns
    cores = cores_needed(design.cells)
    lines = [
        "# Implementation of the streaming core",
        "",
        f"One core: {design.cells} cells, {design.stages} pipeline stages, latency "
        f"{design.latency_cycles} cycles (simulated), one sample a clock. At the stated clock of "
        f"{clock_mhz:.1f} MHz that is {latency_ns:.1f} ns; the clock itself "
        "is measured only where a family was routed. "
        f"{BUDGET_CELLS} cells need {cores} cores.",
        "",
        "Budget: 125 ns, 384 cells per FPGA, one sample each 25 ns. "
        f"Energy of one inference, QTools' model: {PJ_PER_NJ * finetune['energy_nj']:.1f} pJ; "
        f"validation RMSE: {finetune['validation_rmse_mev']:.2f} MeV.",
        "",
        "## Area",
        "",
        "| family | tool | | LUT | FF | carry | DSP | BRAM | netlist windows | mismatches |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for one in found:
        for label, factor in (("one core", 1), (f"{BUDGET_CELLS} cells", cores)):
            counts = " | ".join(
                str(one.resources[key] * factor) for key in ("lut", "ff", "carry", "dsp", "bram")
            )
            checked = f"{one.windows} | {one.mismatches}" if factor == 1 else "| "
            lines.append(f"| {one.title} | {one.tool} | {label} | {counts} | {checked} |")
    lines += [
        "",
        "LUT: LUTs of any size with those used as shift registers (UltraScale+; inverters, which "
        "fold into LUTs and registers, are in the metrics only), ALUTs (Intel), LUT4 with two for "
        "each carry cell (ECP5). Synthesis only, before packing.",
        *_hidden_lines(found),
        "",
        "## Share of a target FPGA, 384 cells",
        "",
        "| FPGA | LUT | FF | DSP |",
        "| --- | ---: | ---: | ---: |",
    ]
    for one in found:
        if one.name in DEVICES:
            shares = share_percent(one.name, one.resources, cores)
            cells = " | ".join(f"{share:.1f} %" for share in shares.values())
            lines.append(f"| {DEVICES[one.name].title} | {cells} |")
    lines += ["", OTHER_CELLS, ""]
    lines += _clock_lines(design, found)
    lines += _vendor_lines(vendors)
    lines += ["", "## Next to published designs", "", *_PUBLISHED, ""]
    lines += [f"- {remark}" for remark in (*(run.line for run in vendors), *remarks)]
    return "\n".join(lines).rstrip() + "\n"


_PUBLISHED = (
    "| design | clock | cells per FPGA | latency |",
    "| --- | ---: | ---: | ---: |",
    "| JINST 18 P05017 (VHDL, Stratix 10) | | 384 | under 125 ns |",
    "| Comput. Softw. Big Sci. 5, 19 | 344-640 MHz | 390-576 | about 200 ns |",
)


_VENDOR_COLUMNS = {
    "LUT": "lut",
    "ALM": "alm",
    "FF": "ff",
    "DSP": "dsp",
    "BRAM": "bram",
    "Fmax, MHz": "fmax_mhz",
    "restricted Fmax, MHz": "restricted_fmax_mhz",
    "latency, cycles": "latency_cycles",
    "interval, cycles": "initiation_interval",
    "clock, ns": "clock_ns",
}


def _vendor_lines(vendors: Sequence[VendorRun]) -> list[str]:
    """Return a table of the vendors' own figures; nothing if no tool gave any."""
    with_figures = [run for run in vendors if run.figures]
    if not with_figures:
        return []
    lines = [
        "",
        "## The vendors' tools",
        "",
        "One core: Vitis HLS of the C++ of one network, Vivado and Quartus of the streaming core.",
        "",
        f"| tool | {' | '.join(_VENDOR_COLUMNS)} |",
        "| --- |" + " ---: |" * len(_VENDOR_COLUMNS),
    ]
    for run in with_figures:
        keys = _VENDOR_COLUMNS.values()
        cells = (f"{run.figures[key]:g}" if key in run.figures else "" for key in keys)
        lines.append(f"| {run.tool} | {' | '.join(cells)} |")
    return lines


def _hidden_lines(found: Sequence[Implemented]) -> list[str]:
    """Say how many LUTs place and route will add to what synthesis counted."""
    lines = []
    for one in found:
        if hidden := one.resources.get("lut_route_through"):
            lines += [
                "",
                f"{one.title}: not in these LUTs are {hidden} inputs of carry chains in one core "
                f"that no LUT drives ({one.resources['inverter_into_carry']} of them come from "
                "inverters): place and route needs up to as many LUTs more to pass them on.",
            ]
    return lines


def _clock_lines(design: RtlDesign, found: Sequence[Implemented]) -> list[str]:
    lines = ["## Clock", ""]
    for one in found:
        if one.routed is not None:
            fmax = one.routed.fmax_mhz
            latency = design.latency_cycles * NS_TIMES_MHZ / fmax
            verdict = "within" if latency <= BUDGET_NS else "above"
            lines.append(
                f"{one.title} ({DEVICE}), {one.routed.version}: {fmax:.1f} MHz after place and "
                f"route; latency {latency:.0f} ns, {verdict} the budget of {BUDGET_NS:g} ns; "
                f"that clock serves {int(fmax * BC_NS / NS_TIMES_MHZ)} cells a core."
            )
    if len(lines) == 2:
        lines.append("No family was placed and routed: no clock was measured.")
    lines.append("")
    lines.append("AMD's and Intel's target families have no open timing data: not measured.")
    return lines
