"""The report of the stage ``implement``: one core and many, against the budget."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.artifacts.budget import (
    BUDGET_CELLS,
    BUDGET_NS,
    DEVICES,
    OTHER_CELLS,
    RESOURCES,
    cores_needed,
    share_percent,
)
from pipeline.artifacts.design import RtlDesign
from pipeline.artifacts.finetune import FinetuneFigures
from pipeline.artifacts.implementation import Implementation, Implemented
from pipeline.base.units import BC_NS, NS_TIMES_MHZ, PJ_PER_NJ
from pipeline.presentation.markdown import table

_PUBLISHED = (
    ("JINST 18 P05017 (VHDL, Stratix 10)", "", "384", "under 125 ns"),
    ("Comput. Softw. Big Sci. 5, 19", "344-640 MHz", "390-576", "about 200 ns"),
)


def implementation_markdown(result: Implementation, finetune: FinetuneFigures) -> str:
    """Return ``metrics/implement.md``: tables against the budget, and next to published designs."""
    design, families = result.design, result.families
    if design is None:
        return f"{result.no_rtl}\n"
    cores = cores_needed(design.cells)
    lines = [
        "# Implementation of the streaming core",
        "",
        *_summary_lines(design, finetune, cores),
        "",
        "## Area",
        "",
        *_area_table(families, cores),
        "",
        "LUT: LUTs of any size with those used as shift registers (UltraScale+; inverters, which "
        "fold into LUTs and registers, are in the metrics only), ALUTs (Intel), LUT4 with two for "
        "each carry cell (ECP5). Synthesis only, before packing.",
        *_hidden_lines(families),
        "",
        "## Share of a target FPGA, 384 cells",
        "",
        *_share_table(families, cores),
        "",
        OTHER_CELLS,
        "",
        *_clock_lines(design, families),
        "",
        "## Next to published designs",
        "",
        *table(("design", "clock", "cells per FPGA", "latency"), _PUBLISHED, "lrrr"),
        "",
        "Vivado, Vitis HLS, Quartus and oneAPI run where they are installed; what they report is "
        "printed by the stage implement and written to `logs/implement.txt`, not here.",
    ]
    return "\n".join(lines) + "\n"


def _summary_lines(design: RtlDesign, finetune: FinetuneFigures, cores: int) -> list[str]:
    latency_ns = design.latency_cycles * design.clock_period_ns
    clock_mhz = NS_TIMES_MHZ / design.clock_period_ns
    return [
        f"One core: {design.cells} cells, {design.stages} pipeline stages, latency "
        f"{design.latency_cycles} cycles (simulated), one sample a clock. At the stated clock of "
        f"{clock_mhz:.1f} MHz that is {latency_ns:.1f} ns; the clock itself "
        "is measured only where a family was routed. "
        f"{BUDGET_CELLS} cells need {cores} cores.",
        "",
        "Budget: 125 ns, 384 cells per FPGA, one sample each 25 ns. "
        f"Energy of one inference, QTools' model: {PJ_PER_NJ * finetune.energy_nj:.1f} pJ; "
        f"validation RMSE: {finetune.validation_rmse_mev:.2f} MeV.",
    ]


def _area_table(families: Sequence[Implemented], cores: int) -> list[str]:
    head = (
        "family", "tool", "", "LUT", "FF", "carry", "DSP", "BRAM", "netlist windows", "mismatches",
    )  # fmt: skip
    rows: list[list[object]] = []
    for one in families:
        for label, factor in (("one core", 1), (f"{BUDGET_CELLS} cells", cores)):
            counts = [one.resources[key] * factor for key in RESOURCES]
            checked = [one.n_windows, one.mismatches] if factor == 1 else ["", ""]
            rows.append([one.title, one.tool, label, *counts, *checked])
    return table(head, rows, "lllrrrrrrr")


def _share_table(families: Sequence[Implemented], cores: int) -> list[str]:
    rows = []
    for one in families:
        if one.name in DEVICES:
            shares = share_percent(one.name, one.resources, cores)
            cells = (f"{share:.1f} %" for share in shares.values())
            rows.append([DEVICES[one.name].title, *cells])
    return table(("FPGA", "LUT", "FF", "DSP"), rows, "lrrr")


def _hidden_lines(families: Sequence[Implemented]) -> list[str]:
    """Say how many LUTs place and route will add to what synthesis counted."""
    lines = []
    for one in families:
        if hidden := one.resources.get("lut_route_through"):
            lines += [
                "",
                f"{one.title}: not in these LUTs are {hidden} inputs of carry chains in one core "
                f"that no LUT drives ({one.resources['inverter_into_carry']} of them come from "
                "inverters): place and route needs up to as many LUTs more to pass them on.",
            ]
    return lines


def _clock_lines(design: RtlDesign, families: Sequence[Implemented]) -> list[str]:
    lines = ["## Clock", ""]
    for one in families:
        if one.routed is not None:
            fmax = one.routed.fmax_mhz
            latency = design.latency_cycles * NS_TIMES_MHZ / fmax
            verdict = "within" if latency <= BUDGET_NS else "above"
            lines.append(
                f"{one.title} ({one.routed.device}), {one.routed.version}: {fmax:.1f} MHz after "
                f"place and route; latency {latency:.0f} ns, {verdict} the budget of "
                f"{BUDGET_NS:g} ns; that clock serves {int(fmax * BC_NS / NS_TIMES_MHZ)} cells a "
                "core."
            )
    if len(lines) == 2:
        lines.append("No family was placed and routed: no clock was measured.")
    lines.append("")
    lines.append("AMD's and Intel's target families have no open timing data: not measured.")
    return lines
