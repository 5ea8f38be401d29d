"""Stage `baseline`: what one inference of the network costs before the search.

The float network is priced as float (fp32), as a plain 8-bit network (int8 with
32-bit sums), and as the reference that the search compares with. The energy
does not depend on weights, so nothing but ``params.yaml`` is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.base.architecture import Architecture
from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_json
from pipeline.params import Params, load_params
from pipeline.params.energy import EnergyParams
from pipeline.quantization.energy.description import NetworkDescription, float_network
from pipeline.quantization.energy.network import (
    NetworkCost,
    network_cost,
    source_type,
    with_reference,
)
from pipeline.quantization.energy.profile import profile_lines

METRICS_FILE = Path("metrics/baseline.json")


def main() -> None:
    """Read ``params.yaml`` and write ``metrics/baseline.json``."""
    params = load_params()
    if params.energy.source_quantizer is not None:
        source_type(params.energy.source_quantizer)  # an error here, not after the training
    network = _network(params)
    costs = _costs(network, params.energy)
    write_json(METRICS_FILE, _metrics(network, costs))
    for name, cost in costs.items():
        say(*profile_lines(f"baseline: float network as {name}", cost))
    say(f"baseline: {costs['reference'].total:.2f} pJ: {METRICS_FILE}")


def baseline_metrics(params: Params) -> dict[str, Any]:
    """Return the content of the metrics file; energies in nJ."""
    network = _network(params)
    return _metrics(network, _costs(network, params.energy))


def _metrics(network: NetworkDescription, costs: Mapping[str, NetworkCost]) -> dict[str, Any]:
    return {
        "energy_nj": {name: cost.total_nj for name, cost in costs.items()},
        "energy_nj_by_layer": {name: cost.by_layer_nj() for name, cost in costs.items()},
        "macs": costs["reference"].macs,
        "parameters": network.parameters,
    }


def _network(params: Params) -> NetworkDescription:
    train, length = params.train, params.prepare.window_length
    return float_network(Architecture(train.cell, train.units, length))


def _costs(network: NetworkDescription, params: EnergyParams) -> dict[str, NetworkCost]:
    settings = {
        "fp32": with_reference(params, "fp32", "fp32"),
        "int8": with_reference(params, "int8", "int32"),
        "reference": params,
    }
    return {name: network_cost(network, setting, "reference") for name, setting in settings.items()}


if __name__ == "__main__":
    run_stage(main)
