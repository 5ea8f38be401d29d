"""What the survey found, as numbers, columns, Markdown, and a line for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.base.units import BC_NS
from pipeline.firmware.survey.survey import Surveyed
from pipeline.reports.budget import (
    BUDGET_CELLS,
    BUDGET_NS,
    DEVICES,
    OTHER_CELLS,
    cores_needed,
    share_percent,
)

Value = str | int | float

_RESOURCES = ("lut", "ff", "carry", "dsp", "bram")
_BITS = ("rnn_kernel", "rnn_recurrent_kernel", "rnn_state")


def metrics(found: Sequence[Surveyed]) -> dict[str, Any]:
    """Return the content of ``metrics/survey.json``, by name of the network."""
    return {one.subject.name: _metrics(one) for one in found}


def _metrics(one: Surveyed) -> dict[str, Any]:
    cores = cores_needed(one.design.cells)
    resources = {name: one.core.resources[name] for name in _RESOURCES}
    return {
        "validation_rmse_mev": one.rmse_mev,
        "energy_pj": one.subject.energy_pj,
        "units": one.subject.units,
        "weight_bits": one.subject.weight_bits,
        "float32_exact": int(one.float32_exact),
        "stages": one.design.stages,
        "latency_cycles": one.design.latency_cycles,
        "latency_ns": one.latency_ns,
        "core": resources,
        "fpga": {name: number * cores for name, number in resources.items()},
        "fpga_percent": share_percent(one.core.name, resources, cores),
        "stream": one.streamed.metrics(),
        "netlist": {"windows": one.core.windows, "mismatches": one.core.mismatches},
    }


def line(found: Surveyed) -> str:
    """One network in one line, for the terminal."""
    return (
        f"{found.subject.name}: {found.rmse_mev:.2f} MeV, {found.subject.energy_pj:.1f} pJ, "
        f"{found.core.resources['lut']} LUT, {found.core.resources['ff']} FF, "
        f"{found.design.latency_cycles} cycles"
    )


def columns(found: Sequence[Surveyed]) -> dict[str, list[Value]]:
    """Return the networks as columns, for ``dvc plots`` and the figure."""
    rows: list[dict[str, Value]] = [
        {
            "network": one.subject.name,
            "kind": one.subject.kind,
            "units": one.subject.units,
            "weight_bits": one.subject.weight_bits,
            "energy_pj": one.subject.energy_pj,
            "validation_rmse_mev": one.rmse_mev,
            **{name: one.core.resources[name] for name in _RESOURCES},
            "latency_ns": one.latency_ns,
        }
        for one in found
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def markdown(found: Sequence[Surveyed]) -> str:
    """Return ``metrics/survey.md``: the networks as tables, and what the figures mean."""
    design, core = found[0].design, found[0].core
    cores = cores_needed(design.cells)
    lines = [
        "# Area against RMSE",
        "",
        "The fine-tuned network (`models/integer.json`), trials of the search, and reference "
        "points with the same bits in all kernels and the state, built alike: one streaming core "
        f"of {design.cells} cells, {core.title}, {core.tool}.",
        "",
        "RMSE: the integer model on all validation windows. Bits: kernel / recurrent kernel / "
        f"state. Energy: one inference, QTools' model. Latency: {design.clock_period_ns:g} ns for "
        "each cycle, the stated clock, which was not measured. Synthesis only, before packing.",
        "",
        f"Budget: {BUDGET_NS:g} ns, {BUDGET_CELLS} cells per FPGA, one sample each {BC_NS:g} ns, "
        "at most 400 parameters and 500 multiply-accumulates.",
        "",
        *_core_table(found),
        "",
        f"## {BUDGET_CELLS} cells: {cores} cores",
        "",
        *_fpga_table(found, cores),
        *(["", OTHER_CELLS] if core.name == "cyclonev" else []),
        "",
        "## Checked",
        "",
        "Each streaming core was simulated as RTL, and as a netlist where windows are given, "
        "clock by clock, and must equal the integer model.",
        "",
        *_checked_table(found),
        "",
        _exactness(found),
    ]
    return "\n".join(lines) + "\n"


def _core_table(found: Sequence[Surveyed]) -> list[str]:
    head = (
        "network", "units", "bits", "weight bits", "RMSE, MeV", "energy, pJ",
        "LUT", "FF", "carry", "DSP", "BRAM", "stages", "latency, cycles", "ns",
    )  # fmt: skip
    rows: list[tuple[Value, ...]] = [
        (
            one.subject.name,
            one.subject.units,
            " / ".join(str(one.subject.bits[name]) for name in _BITS),
            one.subject.weight_bits,
            f"{one.rmse_mev:.2f}",
            f"{one.subject.energy_pj:.1f}",
            *(one.core.resources[name] for name in _RESOURCES),
            one.design.stages,
            one.design.latency_cycles,
            f"{one.latency_ns:.1f}",
        )
        for one in found
    ]
    return _table(head, rows)


def _fpga_table(found: Sequence[Surveyed], cores: int) -> list[str]:
    family = found[0].core.name
    shared = list(DEVICES[family].resources) if family in DEVICES else []
    head = ["network", *(name.upper() for name in _RESOURCES)]
    head += [f"{name.upper()} of {DEVICES[family].title}" for name in shared]
    rows: list[list[Value]] = []
    for one in found:
        shares = share_percent(family, one.core.resources, cores)
        counts = [one.core.resources[name] * cores for name in _RESOURCES]
        rows.append([one.subject.name, *counts, *(f"{shares[name]:.1f} %" for name in shared)])
    return _table(head, rows)


def _checked_table(found: Sequence[Surveyed]) -> list[str]:
    head = ("network", "RTL windows", "mismatches", "netlist windows", "mismatches")
    rows: list[tuple[Value, ...]] = []
    for one in found:
        netlist = (one.core.windows, one.core.mismatches) if one.core.windows else ("-", "-")
        rows.append((one.subject.name, one.streamed.windows, one.streamed.mismatches, *netlist))
    return _table(head, rows)


def _exactness(found: Sequence[Surveyed]) -> str:
    wide = [one.subject.name for one in found if not one.float32_exact]
    text = (
        "A network is what its integers say: this stage compares none with QKeras, which computes "
        "in float32. "
    )
    if not wide:
        return text + "float32 holds every sum of these networks."
    return text + f"float32 does not hold every sum of {', '.join(wide)}: QKeras may round there."


def _table(head: Sequence[str], rows: Sequence[Sequence[Value]]) -> list[str]:
    """Return a Markdown table: the first column to the left, the others to the right."""
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return ["| " + " | ".join(map(str, row)) + " |" for row in (head, ruler, *rows)]
