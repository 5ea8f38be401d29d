"""Exactness of networks unlike the default one: mismatches between all evaluators.

``python -m benchmarks.exactness [--epochs N] [--networks NAME...]``, after ``dvc repro``.

Each network goes through the stages search, finetune, synthesize and rtl in a directory of its own,
over the whole test split: weights and state of 4 bits, of 12 bits, 16 units, weights that
are powers of two, and values that are rounded half up, twice and once a step. Training is cut
short: what is compared is not how good they are. A mismatch fails a stage, which ends this script
with its message.
"""

from __future__ import annotations

import argparse
import copy
from typing import Any

from tqdm import tqdm

from benchmarks.compare import ROOT, machine
from benchmarks.stages import run_stage, workplace
from pipeline.base.files import read_json
from pipeline.params import load_params
from pipeline.quantization.search.plan.space import declared_bits

WEIGHTS = "quantized_bits({},0,1,alpha='auto_po2')"
PO2 = "quantized_po2(5,2)"
STATE = "quantized_relu({},0)"
ACTIVATION = "quantized_relu(12,0)"
# By name: units as a multiple of the float network's, and quantizers of kernels and state.
NETWORKS: dict[str, tuple[float, str, str]] = {
    "4 bits": (1.0, WEIGHTS.format(4), STATE.format(4)),
    "12 bits": (1.0, WEIGHTS.format(12), STATE.format(12)),
    "16 units": (2.0, WEIGHTS.format(6), STATE.format(8)),
    "po2 weights": (1.0, PO2, STATE.format(9)),
    "half up": (1.0, WEIGHTS.format(6), STATE.format(8)),
    "half up, once": (1.0, WEIGHTS.format(6), STATE.format(8)),
}
# What else of the search differs from the shipped parameters.
SEARCHES: dict[str, dict[str, Any]] = {
    "half up": {"rounding": "half_up"},
    "half up, once": {"rounding": "half_up", "round_state_once": True},
}
EVALUATORS = {
    "QKeras": ("firmware", "golden"),
    "Vitis C++": ("firmware", "vitis"),
    "Quartus C++": ("firmware", "quartus"),
    "RTL": ("rtl", "rtl"),
    "streaming core": ("rtl", "stream"),
}
STAGES = ("search", "finetune", "synthesize", "rtl")


def params_of(network: str, epochs: int, stream_windows: int) -> dict[str, Any]:
    """Return the shipped parameters with a search space of this one network."""
    factor, weights, state = NETWORKS[network]
    shipped = load_params(ROOT / "params.yaml")
    tree = copy.deepcopy(shipped.model_dump())
    search = tree["search"]
    bits = {text: _bits(text) for text in (weights, state)}
    search["quantization_config"] = config = declared_bits(shipped.search)
    for kind in ("kernel", "recurrent_kernel"):
        config[kind] = {weights: bits[weights]}
    config["state"] = {state: bits[state]}
    widest = max(bits[weights], *config["bias"].values())
    search["limit"] = {
        "SimpleRNN": [widest, widest, widest, [ACTIVATION], bits[state]],
        "Dense": [widest, widest, [ACTIVATION]],
    }
    search |= {"max_trials": 1, "epochs": epochs, "uniform_bits": [], "mode": "random"}
    search |= {"tune_filters": "layer", "filter_range": [factor]} | SEARCHES.get(network, {})
    tree["finetune"]["epochs"] = epochs
    tree["rtl"]["stream_windows"] = stream_windows
    return tree


def _bits(text: str) -> int:
    return int(text.partition("(")[2].partition(",")[0])


def run_network(network: str, epochs: int, stream_windows: int) -> dict[str, Any]:
    """Run the stages; return windows and mismatches by evaluator and seconds by stage."""
    with workplace(params_of(network, epochs, stream_windows)) as work:
        seconds = {stage: run_stage(stage, work) for stage in STAGES}
        metrics = {
            name: read_json(work / "metrics" / f"{name}.json") for name in ("firmware", "rtl")
        }
        tuned = read_json(work / "metrics/finetune.json")
    found = {title: metrics[file][key] for title, (file, key) in EVALUATORS.items()}
    return {"found": found, "seconds": seconds, "rmse_mev": tuned["validation_rmse_mev"]}


def main() -> None:
    """Print a table of mismatches against the golden model, and the seconds of each stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--stream-windows", type=int, default=200_000)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parser.parse_args()
    print(f"{machine()}; {options.epochs} epochs in search and in finetune\n")
    titles = " | ".join(EVALUATORS)
    print(f"| network | RMSE, MeV | {titles} | seconds: {', '.join(STAGES)} |")
    print("| --- |" + " ---: |" * (len(EVALUATORS) + 2))
    for network in tqdm(options.networks, unit="network", disable=None):
        result = run_network(network, options.epochs, options.stream_windows)
        counts = " | ".join(
            f"{one['mismatches']} of {one['windows']}" for one in result["found"].values()
        )
        times = ", ".join(f"{value:.0f}" for value in result["seconds"].values())
        print(f"| {network} | {result['rmse_mev']:.1f} | {counts} | {times} |", flush=True)


if __name__ == "__main__":
    main()
