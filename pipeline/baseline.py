"""Stage `baseline`: what one inference of the network costs before the search.

The float network is priced as float (fp32), as a plain 8-bit network (int8 with
32-bit sums), and as the reference that the search compares with. The energy
does not depend on weights, so nothing but ``params.yaml`` is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.base.architecture import Architecture
from pipeline.base.errors import run_stage
from pipeline.base.files import write_json
from pipeline.params import Params, load_params
from pipeline.params.network import EnergyParams
from pipeline.quantization.energy.description import NetworkDescription, float_network
from pipeline.quantization.energy.network import NetworkCost, network_cost, with_reference

METRICS_FILE = Path("metrics/baseline.json")


def main() -> None:
    """Read ``params.yaml`` and write ``metrics/baseline.json``."""
    write_json(METRICS_FILE, baseline_metrics(load_params()))


def baseline_metrics(params: Params) -> dict[str, Any]:
    """Return the content of the metrics file; energies in nJ."""
    train, length = params.train, params.prepare.window_length
    network = float_network(Architecture(train.cell, train.units, length))
    costs = _costs(network, params.energy)
    return {
        "energy_nj": {name: cost.total_nj for name, cost in costs.items()},
        "energy_nj_by_layer": {name: cost.by_layer_nj() for name, cost in costs.items()},
        "macs": costs["reference"].macs,
        "parameters": network.parameters,
    }


def _costs(network: NetworkDescription, params: EnergyParams) -> dict[str, NetworkCost]:
    settings = {
        "fp32": with_reference(params, "fp32", "fp32"),
        "int8": with_reference(params, "int8", "int32"),
        "reference": params,
    }
    return {name: network_cost(network, setting, "reference") for name, setting in settings.items()}


if __name__ == "__main__":
    run_stage(main)
