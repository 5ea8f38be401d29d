"""Stage ``search``: find the best quantizers for every tensor of the network.

Reads data/prepared.h5 and models/float.weights.h5; writes models/search.json
(the choice and every trial), models/search.weights.h5 (weights of every trial)
and metrics/search.json. `report` makes tables and figures of them. An
interrupted search goes on with the trials it has. ``--dry-run`` prints what
would be searched and trains nothing.
docs/search.md describes modes, blocks, costs, workers and every default.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.artifacts.search import SEARCH
from pipeline.base.architecture import Architecture
from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_json
from pipeline.base.schema import write
from pipeline.base.weights import FLOAT_WEIGHTS, load_weights, save_weights
from pipeline.params import Params, load_params
from pipeline.quantization.search import cluster
from pipeline.quantization.search import state as search_state
from pipeline.quantization.search.lines import end_lines
from pipeline.quantization.search.plan.parameters import notes
from pipeline.quantization.search.plan.plan import describe, plan_search
from pipeline.samples.prepared import PREPARED, Prepared, read_prepared


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    prepared = read_prepared(PREPARED)
    architecture = architecture_of(params, prepared)
    blocks, costs = plan_search(params.search, params.energy, architecture)
    if not cluster.is_worker():
        _say_notes(params)
    elif cluster.local_parent() is None:
        cluster.await_chief(min(params.processes.worker_timeout_s, cluster.START_S))

    # TensorFlow takes seconds to load: only once parameters and data are known good.
    from pipeline.quantization.search import results
    from pipeline.quantization.search.run import make_runner, run_search

    strategy = params.train.strategy
    state = search_state.open_state(
        [PREPARED, FLOAT_WEIGHTS], params.search, params.energy, architecture, strategy
    )
    weights = load_weights(FLOAT_WEIGHTS, architecture.weight_shapes)
    runner = make_runner(params.search, costs, prepared, weights, strategy, state)
    searched = run_search(runner, blocks, params.processes)
    if searched is None:
        return  # a worker: its chief writes
    outcome = results.outcome_of(searched.tuners, searched.points)

    save_weights(Path("models/search.weights.h5"), outcome.weights())
    write(SEARCH, results.search_result(outcome, prepared.validation.ofmax_rmse_mev()))
    write_json(Path("metrics/search.json"), results.search_metrics(outcome))
    search_state.finish(state, params.search)
    say(*end_lines(outcome.best, outcome.runner.baseline, len(outcome.records)))


def architecture_of(params: Params, prepared: Prepared) -> Architecture:
    """Return the form of the float network."""
    return Architecture(params.train.cell, params.train.units, prepared.train.window_length)


def dry_run() -> None:
    """Print blocks, their cost, their trials and the size of the space."""
    params = load_params()
    architecture = architecture_of(params, read_prepared(PREPARED))
    blocks, _ = plan_search(params.search, params.energy, architecture)
    _say_notes(params)
    print(describe(blocks, params.search), end="")


def _say_notes(params: Params) -> None:
    for note in notes(params.search, params.train.cell):
        say(note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m pipeline.search")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, train nothing")
    run_stage(dry_run if parser.parse_args().dry_run else main)
