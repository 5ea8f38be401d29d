"""Searches compared: modes, blocks and seeds, each with what it chose and what it cost.

``python -m benchmarks.searches [--searches NAME ...] [--seeds N ...] [--epochs N] [--workers N]
[--finetune]``, after ``dvc repro``. All of `SEARCHES` unless named.

Each runs as the stage does, in a directory of its own, without uniform networks. ``--epochs``
shortens all trainings of the search alike (halving's first ones are a quarter of it).
``--finetune`` trains the choice on, as the stage does, and adds its RMSE on the test split.
"""

from __future__ import annotations

import argparse
import copy
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.compare import ROOT, machine
from benchmarks.stages import run_stage, workplace
from pipeline.base.files import read_json
from pipeline.base.units import PJ_PER_NJ
from pipeline.params import load_params
from pipeline.quantization.search.plan.score import forgiving_factor
from pipeline.quantizers.quantizer import parse_quantizer
from pipeline.samples.predictions import read_predictions
from pipeline.samples.prepared import Split, read_prepared

# What differs from the `search` section that is shipped, whose `max_trials` are short ones.
_RANDOM = {"mode": "random", "max_trials": 20}
SEARCHES: dict[str, dict[str, Any]] = {
    "halving": {"mode": "halving"},
    "random": _RANDOM,
    "bayesian": {"mode": "bayesian", "max_trials": 20},
    "hyperband": {"mode": "hyperband"},
    "group": {**_RANDOM, "limit": {"rnn|dense": 14}},
    "blocks": {**_RANDOM, "blocks": ["dense", "rnn"], "schedule_block": "sequential"},
    "blocks-by-cost": {**_RANDOM, "blocks": ["dense", "rnn"], "schedule_block": "cost"},
}
BITS = ("rnn/kernel", "rnn/recurrent_kernel", "rnn/state")
COLUMNS = (
    "trials completed",
    "search, s",
    "within 2 %",
    "units",
    "bits: kernel / recurrent kernel / state",
    "energy, pJ",
    "of fp32",
    "of int8",
    "validation RMSE, MeV",
    "ratio to float",
    "best forgiving score",
)
FINETUNED = ("fine-tuned, MeV", "ratio to float", "test split, MeV", "ratio to float")


def params_of(search: str, seed: int, epochs: int | None, workers: int | None) -> dict[str, Any]:
    """Return the shipped parameters with the `search` section changed."""
    tree: dict[str, Any] = copy.deepcopy(load_params(ROOT / "params.yaml").model_dump())
    tree["search"] |= {**SEARCHES[search], "seed": seed, "uniform_bits": []}
    tree["survey"]["uniform_bits"] = []  # they name uniform networks
    if epochs is not None:
        tree["search"] |= {"epochs": epochs, "first_epochs": max(epochs // 4, 1)}
    if workers is not None:
        tree["processes"]["workers"] = workers
    return tree


def best_forgiving_score(trials: Sequence[Mapping[str, Any]]) -> float:
    """Return AutoQKeras' best score, whatever the search was scored by.

    Trials of earlier blocks, which leave weights or state float, do not count.
    """
    return max(
        float(trial["quality"]) * forgiving_factor(trial["delta"])
        for trial in trials
        if trial["quantizers"].keys() >= set(BITS)
    )


def chosen(search: Mapping[str, Any]) -> list[str]:
    """Return the cells of a row that say what a search chose.

    Parameters
    ----------
    search
        What the stage wrote, ``models/search.json``.
    """
    (best,) = (trial for trial in search["trials"] if trial["trial"] == search["best"])
    bits = (parse_quantizer(best["quantizers"][tensor], tensor).bits for tensor in BITS)
    baseline = read_json(ROOT / "metrics/baseline.json")
    energy = best["energy_nj"]
    ratios = (baseline["energy_nj"][name] / energy for name in ("fp32", "int8"))
    rmse = best["validation_rmse_mev"]
    return [
        "yes" if search["limit_met"] else "no",
        str(best["units"]),
        " / ".join(map(str, bits)),
        f"{PJ_PER_NJ * energy:.1f}",
        *(f"1/{ratio:.1f}" for ratio in ratios),
        f"{rmse:.2f}",
        f"{rmse / search['reference']['validation_rmse_mev']:.3f}",
        f"{best_forgiving_score(search['trials']):.3f}",
    ]


def stored_rmse_mev(file: Path, split: Split) -> float:
    """RMSE of stored predictions of a split, MeV."""
    found = read_predictions(file, split.n_windows).astype(np.float64) * split.et_scale_gev
    return split.rmse_mev(found)


def finetuned(work: Path) -> list[str]:
    """Run the stage `finetune` and return its cells of the row."""
    run_stage("finetune", work)
    metrics = read_json(work / "metrics/finetune.json")
    test = read_prepared(work / "data/prepared.h5").test
    of_float = stored_rmse_mev(ROOT / "data/float_test.npy", test)
    rmse = stored_rmse_mev(work / "data/quantized_test.npy", test)
    return [
        f"{metrics['validation_rmse_mev']:.2f}",
        f"{metrics['rmse_ratio_to_float']:.3f}",
        f"{rmse:.2f}",
        f"{rmse / of_float:.3f}",
    ]


def row(search: str, seed: int, options: argparse.Namespace) -> list[str]:
    """Run one search and return its row of the table."""
    tree = params_of(search, seed, options.epochs, options.workers)
    with workplace(tree) as work:
        seconds = run_stage("search", work)
        metrics = read_json(work / "metrics/search.json")
        found = read_json(work / "models/search.json")
        cells = [
            f"{metrics['trials_completed']} of {metrics['trials_asked']}",
            f"{seconds:.0f}",
            *chosen(found),
        ]
        return [search, str(seed), *cells, *(finetuned(work) if options.finetune else [])]


def main() -> None:
    """Print a table with a row for each search and seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[42])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--workers", type=int)
    parser.add_argument("--finetune", action="store_true")
    options = parser.parse_args()
    print(f"{machine()}; epochs: {options.epochs or 'as shipped'}\n")
    titles = ["search", "seed", *COLUMNS, *(FINETUNED if options.finetune else ())]
    print(f"| {' | '.join(titles)} |\n| --- |" + " ---: |" * (len(titles) - 1), flush=True)
    wanted = list(itertools.product(options.searches, options.seeds))
    for search, seed in tqdm(wanted, unit="search", disable=None):
        print(f"| {' | '.join(row(search, seed, options))} |", flush=True)


if __name__ == "__main__":
    main()
