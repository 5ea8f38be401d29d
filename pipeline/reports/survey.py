"""The report of the stage ``survey``: its networks as columns and as tables."""

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
from pipeline.artifacts.survey import Survey, SurveyedNetwork
from pipeline.base.units import BC_NS
from pipeline.presentation.markdown import table

Value = str | int | float

_BITS = ("rnn_kernel", "rnn_recurrent_kernel", "rnn_state")


def survey_columns(networks: Sequence[SurveyedNetwork]) -> dict[str, list[Value]]:
    """Return the networks as columns, for ``dvc plots`` and the figure."""
    if not networks:
        return {"network": [], "lut": [], "validation_rmse_mev": []}
    rows: list[dict[str, Value]] = [
        {
            "network": one.name,
            "kind": one.kind,
            "units": one.units,
            "weight_bits": one.weight_bits,
            "energy_pj": one.energy_pj,
            "validation_rmse_mev": one.validation_rmse_mev,
            **{name: one.core.resources[name] for name in RESOURCES},
            "latency_ns": one.latency_ns,
        }
        for one in networks
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def survey_markdown(survey: Survey) -> str:
    """Return ``metrics/survey.md``: the networks as tables, and what the figures mean."""
    networks = survey.networks
    if not networks:
        return f"{survey.no_rtl}\n"
    design, core = networks[0].design, networks[0].core
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
        *_core_table(networks),
        "",
        f"## {BUDGET_CELLS} cells: {cores} cores",
        "",
        *_fpga_table(networks, cores),
        *(["", OTHER_CELLS] if core.name == "cyclonev" else []),
        "",
        "## Checked",
        "",
        "Each streaming core was simulated as RTL, and as a netlist where windows are given, "
        "clock by clock, and must equal the integer model.",
        "",
        *_checked_table(networks),
        "",
        _exactness(networks),
    ]
    return "\n".join(lines) + "\n"


def _core_table(networks: Sequence[SurveyedNetwork]) -> list[str]:
    head = (
        "network", "units", "bits", "weight bits", "RMSE, MeV", "energy, pJ",
        "LUT", "FF", "carry", "DSP", "BRAM", "stages", "latency, cycles", "ns",
    )  # fmt: skip
    rows: list[tuple[Value, ...]] = [
        (
            one.name,
            one.units,
            " / ".join(str(one.bits[name]) for name in _BITS),
            one.weight_bits,
            f"{one.validation_rmse_mev:.2f}",
            f"{one.energy_pj:.1f}",
            *(one.core.resources[name] for name in RESOURCES),
            one.design.stages,
            one.design.latency_cycles,
            f"{one.latency_ns:.1f}",
        )
        for one in networks
    ]
    return table(head, rows, "l" + "r" * (len(head) - 1))


def _fpga_table(networks: Sequence[SurveyedNetwork], cores: int) -> list[str]:
    family = networks[0].core.name
    shared = list(DEVICES[family].resources) if family in DEVICES else []
    head = ["network", *(name.upper() for name in RESOURCES)]
    head += [f"{name.upper()} of {DEVICES[family].title}" for name in shared]
    rows: list[list[Value]] = []
    for one in networks:
        shares = share_percent(family, one.core.resources, cores)
        counts = [one.core.resources[name] * cores for name in RESOURCES]
        rows.append([one.name, *counts, *(f"{shares[name]:.1f} %" for name in shared)])
    return table(head, rows, "l" + "r" * (len(head) - 1))


def _checked_table(networks: Sequence[SurveyedNetwork]) -> list[str]:
    head = ("network", "RTL windows", "mismatches", "netlist windows", "mismatches")
    rows: list[tuple[Value, ...]] = []
    for one in networks:
        netlist = (one.core.n_windows, one.core.mismatches) if one.core.n_windows else ("-", "-")
        rows.append((one.name, one.stream.n_windows, one.stream.mismatches, *netlist))
    return table(head, rows, "l" + "r" * (len(head) - 1))


def _exactness(networks: Sequence[SurveyedNetwork]) -> str:
    wide = [one.name for one in networks if not one.float32_exact]
    text = (
        "A network is what its integers say: this stage compares none with QKeras, which computes "
        "in float32. "
    )
    if not wide:
        return text + "float32 holds every sum of these networks."
    return text + f"float32 does not hold every sum of {', '.join(wide)}: QKeras may round there."
