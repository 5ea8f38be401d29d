"""Stage ``search``: find the best quantisers for every tensor of the network.

Reads data/prepared.h5 and models/float.weights.h5; writes models/search.json
(the choice and every trial), models/search.weights.h5 (weights of every trial),
metrics/search.json, metrics/search.md (the front), metrics/plots/pareto.csv,
pareto_front.csv and search/pareto.png. An interrupted search goes on with the
trials it has. ``--dry-run`` prints what would be searched and trains nothing.
docs/search.md describes modes, blocks, costs, workers and every default.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.base.errors import run_stage
from pipeline.base.files import write_csv, write_json, write_text
from pipeline.base.weights import FLOAT_WEIGHTS, save_weights
from pipeline.params import load_params
from pipeline.presentation.style import drawing, save_png
from pipeline.quantization.search import state as search_state
from pipeline.quantization.search.plan.plan import describe, plan_search
from pipeline.reports.search_figure import trade_off
from pipeline.samples.prepared import PREPARED, read_prepared

PLOTS = Path("metrics/plots")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    cell, units, strategy = params.train.cell, params.train.units, params.train.strategy
    prepared = read_prepared(PREPARED)
    length = prepared.train.window_length
    blocks, costs = plan_search(params.search, params.energy, cell, units, length)

    # TensorFlow takes seconds to load: only once parameters and data are known good.
    from pipeline.quantization.search import results
    from pipeline.quantization.search.run import make_runner, run_search
    from pipeline.reports.search_front import front_markdown

    inputs, network = [PREPARED, FLOAT_WEIGHTS], [cell, units, length, strategy]
    state = search_state.open_state(inputs, params.search, params.energy, network)
    runner = make_runner(
        params.search, prepared, FLOAT_WEIGHTS, costs, cell=cell, strategy=strategy, directory=state
    )
    searched = run_search(runner, blocks)
    if searched is None:
        return  # a worker: its chief writes
    outcome = results.outcome_of(searched.tuners, searched.points)

    table = results.pareto_table(outcome, prepared.validation.ofmax_rmse_mev())
    write_csv(PLOTS / "pareto.csv", table)
    write_csv(PLOTS / "pareto_front.csv", results.front_columns(outcome))
    write_text(Path("metrics/search.md"), front_markdown(outcome))
    with drawing():
        save_png(trade_off(table), PLOTS / "search" / "pareto.png")
    save_weights(Path("models/search.weights.h5"), outcome.weights())
    write_json(Path("models/search.json"), results.search_result(outcome))
    write_json(Path("metrics/search.json"), results.search_metrics(outcome))
    search_state.discard(state)


def dry_run() -> None:
    """Print blocks, their cost, their trials and the size of the space."""
    params = load_params()
    length = read_prepared(PREPARED).train.window_length
    cell, units = params.train.cell, params.train.units
    blocks, _ = plan_search(params.search, params.energy, cell, units, length)
    from pipeline.quantization.search.run import planned_trials

    print(describe(blocks, params.search, planned_trials(params.search, blocks)), end="")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m pipeline.search")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, train nothing")
    run_stage(dry_run if parser.parse_args().dry_run else main)
