"""The numbers of a survey: ``metrics/survey.json``, and a line for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.artifacts.budget import RESOURCES, cores_needed, share_percent
from pipeline.artifacts.survey import SurveyedNetwork


def survey_metrics(networks: Sequence[SurveyedNetwork]) -> dict[str, Any]:
    """Return the content of ``metrics/survey.json``, by name of the network."""
    return {network.name: _metrics(network) for network in networks}


def _metrics(network: SurveyedNetwork) -> dict[str, Any]:
    cores = cores_needed(network.design.cells)
    resources = {name: network.core.resources[name] for name in RESOURCES}
    return {
        "validation_rmse_mev": network.validation_rmse_mev,
        "energy_pj": network.energy_pj,
        "units": network.units,
        "weight_bits": network.weight_bits,
        "float32_exact": int(network.float32_exact),
        "stages": network.design.stages,
        "latency_cycles": network.design.latency_cycles,
        "latency_ns": network.latency_ns,
        "core": resources,
        "fpga": {name: number * cores for name, number in resources.items()},
        "fpga_percent": share_percent(network.core.name, resources, cores),
        "stream": {
            "windows": network.stream.n_windows,
            "mismatches": network.stream.mismatches,
            "max_difference_mev": network.stream.max_difference_mev,
        },
        "netlist": {"windows": network.core.n_windows, "mismatches": network.core.mismatches},
    }


def line(network: SurveyedNetwork) -> str:
    """One network in one line, for the terminal."""
    return (
        f"{network.name}: {network.validation_rmse_mev:.2f} MeV, {network.energy_pj:.1f} pJ, "
        f"{network.core.resources['lut']} LUT, {network.core.resources['ff']} FF, "
        f"{network.design.latency_cycles} cycles"
    )
