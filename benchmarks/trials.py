"""Search: stock AutoQKeras against this project's, on the full training set.

``python -m benchmarks.trials [--trials N] [--epochs N] [--settings equal|stock]
[--our-trials N] [--our-epochs N] [--mode halving|random] [--first-epochs N] [--survivors N]
[--extrapolate TRIALS EPOCHS] [--repeats N]``; each repeat has a seed of its own.

Stock AutoQKeras searches at random, with the repairs that it needs on Keras 2.15, a
positive metric that grows with quality, and from the trained float weights
(`transfer_weights`), as this project does. `benchmarks.autoqkeras` says what its settings
are. Its energy goal does not count recurrent layers, so the score of both sides is the same
one, this project's: AutoQKeras' forgiving factor over an energy that does. A float input or
state has the reference's bits in it.

A trial's seconds are split into those of its epochs and the rest (building, tracing,
compiling), for which a trial must have two epochs. Both sides have one process.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.autoqkeras import GOAL, SETTINGS, repair, settings_of
from benchmarks.compare import (
    HEADER,
    NOT_REACHED,
    Figures,
    alternate,
    contender,
    machine,
    ratio_row,
    report,
)
from benchmarks.networks import BATCH, UNITS
from benchmarks.stock import materialise
from benchmarks.trial_clock import TrialClock, extrapolated
from pipeline.base.architecture import Architecture, network_shapes
from pipeline.base.files import read_json
from pipeline.base.units import PJ_PER_NJ
from pipeline.base.weights import FLOAT_WEIGHTS, load_weights
from pipeline.params import load_params
from pipeline.params.network import SearchParams
from pipeline.quantization.energy.description import float_network
from pipeline.quantization.energy.network import network_cost
from pipeline.quantization.search.plan.score import forgiving_delta, score
from pipeline.samples.prepared import PREPARED, read_prepared

ROWS = {
    "epoch_s": "seconds of an epoch",
    "fixed_s": "seconds of a trial besides its epochs",
    "search_s": "seconds of the search as run",
    "completed": "trials completed",
    "best_score": "best score (forgiving factor)",
    "best_rmse_mev": "best validation RMSE, MeV",
    "peak_mb": "peak memory, MB",
}
Trials = list[tuple[float, float]]
"""Validation RMSE in MeV and energy in pJ of completed trials."""


def run_stock(options: argparse.Namespace) -> None:
    """Search with stock AutoQKeras."""
    repair()
    import tensorflow as tf
    from qkeras.autoqkeras import AutoQKeras

    from pipeline.networks.fitting import rmse_mev
    from pipeline.networks.float_network import set_weights
    from tests.quantization.energy.from_keras import describe_model

    params = load_params()
    prepared = read_prepared(PREPARED)
    data = [materialise(split) for split in (prepared.train, prepared.validation)]
    layers = tf.keras.layers
    inputs = tf.keras.Input((prepared.train.window_length, 1))
    hidden = layers.SimpleRNN(UNITS, "relu", name="rnn")(inputs)
    model = tf.keras.Model(inputs, layers.Dense(1, "relu", name="dense")(hidden))
    set_weights(model, load_weights(FLOAT_WEIGHTS, network_shapes("SimpleRNN", UNITS)))
    model.compile(tf.keras.optimizers.legacy.Adam(params.search.learning_rate), "mse")

    def closeness(truth: Any, reconstructed: Any) -> Any:
        return 1 / (1 + 1000 * tf.square(truth - reconstructed))

    clock = TrialClock()
    with tempfile.TemporaryDirectory() as directory:
        start = time.perf_counter()
        search = AutoQKeras(
            model,
            metrics=[closeness],
            goal=GOAL,
            output_dir=directory,
            mode="random",
            seed=options.seed,
            transfer_weights=True,
            tune_filters="none",
            tune_filters_exceptions="",
            max_trials=options.trials,
            **settings_of(options.settings, params.search),
        )
        search.tuner.run_trial = clock.around(search.tuner.run_trial)
        search.fit(
            *data[0],
            validation_data=data[1],
            batch_size=BATCH,
            epochs=options.epochs,
            verbose=0,
            callbacks=[
                tf.keras.callbacks.EarlyStopping("val_loss", patience=options.epochs),
                # Copied deeply for each trial: a method would take its own clock with it.
                tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: clock.epoch_ended()),
            ],
        )
        seconds = time.perf_counter() - start
        found = []
        for trial in search.tuner.oracle.trials.values():
            if trial.status == "COMPLETED":
                network = describe_model(search.tuner.hypermodel.build(trial.hyperparameters))
                loss = trial.metrics.get_best_value("val_loss")
                energy_pj = network_cost(network, params.energy).total
                found.append((rmse_mev(loss, prepared.train.et_scale_gev), energy_pj))
    _report(seconds, clock, found)


def run_ours(options: argparse.Namespace) -> None:
    """Search as the stage does."""
    from pipeline.quantization.search.plan.plan import plan_search
    from pipeline.quantization.search.run import make_runner, run_search
    from pipeline.quantization.search.trials.runner import TrialRunner

    params = load_params()
    settings = our_settings(params.search, options)
    prepared = read_prepared(PREPARED)
    length = prepared.train.window_length
    architecture = Architecture(params.train.cell, params.train.units, length)
    weights = load_weights(FLOAT_WEIGHTS, architecture.weight_shapes)
    clock = TrialClock()
    with (
        tempfile.TemporaryDirectory() as directory,
        mock.patch.object(TrialRunner, "run", clock.around(TrialRunner.run)),
    ):
        start = time.perf_counter()
        blocks, costs = plan_search(settings, params.energy, architecture)
        state = Path(directory) / "state"
        runner = make_runner(settings, costs, prepared, weights, "auto", state)
        runner.trainer.after_epoch = clock.epoch_ended
        # Local workers would read params.yaml; one process is what stock has, too.
        alone = params.processes.model_copy(update={"workers": 1})
        searched = run_search(runner, blocks, alone)
        assert searched is not None  # this is no worker
        seconds = time.perf_counter() - start
        records = [record for tuner in searched.tuners for record in tuner.records()]
    _report(seconds, clock, [(r.validation_rmse_mev, PJ_PER_NJ * r.energy_nj) for r in records])


def our_settings(search: SearchParams, options: argparse.Namespace) -> SearchParams:
    """Return the ``search`` section of this project's side, checked."""
    first = options.first_epochs or min(search.first_epochs, max(options.epochs // 4, 1))
    changed = {
        "mode": options.mode or search.mode,
        "max_trials": options.trials,
        "epochs": options.epochs,
        "first_epochs": first,
        "survivors": options.survivors or min(search.survivors, options.trials),
        "descents": 0,  # so many trials as were asked for
        "seed": options.seed,
        "uniform_bits": [],
    }
    return SearchParams.model_validate(search.model_dump() | changed)


def _report(seconds: float, clock: TrialClock, found: Trials) -> None:
    if not found:
        raise RuntimeError("no trial completed")
    report(search_s=seconds, completed=float(len(found)), **clock.figures(), **quality_of(found))


def quality_of(found: Trials) -> Figures:
    """Return the best score and RMSE, and the energy of the cheapest trial within the limit.

    The limit is ``search.goal.max_rmse_ratio`` times the float network's RMSE.
    """
    params, prepared = load_params(), read_prepared(PREPARED)
    goal = params.search.goal
    network = float_network(Architecture("SimpleRNN", UNITS, prepared.train.window_length))
    reference_pj = network_cost(network, params.energy, "reference").total
    float_mev = float(read_json(Path("metrics/train.json"))["validation_rmse_mev"])
    weights = goal.model_dump(include={"delta_p", "delta_n", "rate", "stress"})
    scores = [
        score(float_mev, mev, forgiving_delta(reference_pj, pj, **weights)) for mev, pj in found
    ]
    limit = float_mev * (goal.max_rmse_ratio or 1.0)
    return {
        "best_score": max(scores),
        "best_rmse_mev": min(mev for mev, _ in found),
        "cheapest_pj": min((pj for mev, pj in found if mev <= limit), default=None),
    }


def extrapolation_rows(found: dict[str, list[Figures]], options: argparse.Namespace) -> list[str]:
    """Return rows of searches that were not run, from seconds of an epoch and of a trial."""
    trials, epochs = options.extrapolate
    search = load_params().search
    first, survivors = min(search.first_epochs, epochs), search.survivors
    whole = [(trials, epochs)]
    rows = {
        f"EXTRAPOLATED: {trials} trials of {epochs} epochs, s": whole,
        f"EXTRAPOLATED: the same; ours as shipped, {search.max_trials} of {first}, {survivors} of "
        f"{epochs - first} more and {search.descents} of {epochs}, s": [
            (search.max_trials, first),
            (survivors, epochs - first),
            (search.descents, epochs),
        ],
    }
    lines = []
    for title, plan in rows.items():
        seconds = {
            side: [{"s": extrapolated(run, plan if side == "ours" else whole)} for run in runs]
            for side, runs in found.items()
        }
        lines.append(ratio_row(title, "s", seconds))
    return lines


def _run_side(side: str, options: argparse.Namespace, repeat: int) -> Figures:
    ours = side == "ours"
    named = {
        "--trials": (ours and options.our_trials) or options.trials,
        "--epochs": (ours and options.our_epochs) or options.epochs,
        "--seed": options.seed + repeat,
        "--settings": options.settings,
        "--mode": options.mode,
        "--first-epochs": options.first_epochs,
        "--survivors": options.survivors,
    }
    given = [text for name, value in named.items() if value for text in (name, str(value))]
    return contender("benchmarks.trials", "--contender", side, *given)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one contender, or both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=["stock", "ours"])
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--settings", choices=SETTINGS, default="equal", help="of stock")
    parser.add_argument("--our-trials", type=int, help="as --trials unless said")
    parser.add_argument("--our-epochs", type=int, help="as --epochs unless said")
    parser.add_argument("--mode", choices=["halving", "random"], help="as params.yaml unless said")
    parser.add_argument("--first-epochs", type=int, help="ours, halving")
    parser.add_argument("--survivors", type=int, help="ours, halving")
    parser.add_argument("--extrapolate", type=int, nargs=2, metavar=("TRIALS", "EPOCHS"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(arguments)
    params = load_params()
    if (params.train.cell, params.train.units) != ("SimpleRNN", UNITS):
        parser.error(f"the stock side is a SimpleRNN of {UNITS} units: so must be train")
    if options.contender:
        (run_stock if options.contender == "stock" else run_ours)(options)
        return
    sides = {side: partial(_run_side, side, options) for side in ("stock", "ours")}
    print(f"{machine()}; batch {BATCH}")
    print(
        f"stock ({options.settings} settings): {options.trials} trials of {options.epochs} epochs; "
        f"ours ({options.mode or params.search.mode}): {options.our_trials or options.trials} of "
        f"{options.our_epochs or options.epochs}\n\n{HEADER}"
    )
    found = alternate(sides, options.repeats)
    for key, title in ROWS.items():
        print(ratio_row(title, key, found))
    limit = params.search.goal.max_rmse_ratio or 1.0
    title = f"cheapest trial within {limit:g} times the float RMSE, pJ"
    print(ratio_row(title, "cheapest_pj", found, NOT_REACHED))
    if options.extrapolate:
        print("\n".join(extrapolation_rows(found, options)))


if __name__ == "__main__":
    main()
