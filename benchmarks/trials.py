"""Search: stock AutoQKeras against this project's, on the full training set.

``python -m benchmarks.trials [--trials N] [--epochs N] [--our-trials N] [--our-epochs N]
[--repeats N]``; each repeat has a seed of its own.

Stock AutoQKeras runs here with the repairs that it needs on Keras 2.15, a positive metric
that grows with quality, from the trained float weights (`transfer_weights`) as this project
does, and without a state quantiser, which it cannot search. Its energy
goal does not count recurrent layers, so the best score of both sides is the same one, this
project's: AutoQKeras' forgiving factor over an energy that does. A float input or state has
the reference's bits in it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.compare import HEADER, Figures, alternate, contender, machine, ratio_row, report
from benchmarks.stock import materialise
from pipeline.artifacts import load_weights, read_json, read_prepared
from pipeline.params import load_params
from pipeline.quantization.energy import float_network, network_energy
from pipeline.quantization.resizing import network_shapes
from pipeline.quantization.score import forgiving_delta, score

BATCH = 64
UNITS = 8


def repair_autoqkeras() -> None:
    """Let stock AutoQKeras rebuild models from Keras 2.15's JSON."""
    import qkeras.utils

    import pipeline.quantization.qkeras_compat  # noqa: F401

    original = qkeras.utils.quantized_model_from_json

    def from_json(text: str, custom_objects: Any = None) -> Any:
        tree = json.loads(text)
        for layer in tree["config"]["layers"]:
            for key in ("module", "registered_name", "build_config"):
                layer.pop(key, None)
        return original(json.dumps(tree), custom_objects)

    qkeras.utils.quantized_model_from_json = from_json


def run_stock(trials: int, epochs: int, seed: int) -> None:
    """Search with stock AutoQKeras; report seconds of a trial and the best score."""
    repair_autoqkeras()
    import tensorflow as tf
    from qkeras.autoqkeras import AutoQKeras

    from pipeline.quantization.energy_keras import describe_model
    from pipeline.rnn.fitting import rmse_mev
    from pipeline.rnn.network import set_weights

    params = load_params()
    prepared = read_prepared(Path("data/prepared.h5"))
    data = [materialise(split) for split in (prepared.train, prepared.validation)]
    length = prepared.train.window_length
    layers = tf.keras.layers
    inputs = tf.keras.Input((length, 1))
    hidden = layers.SimpleRNN(UNITS, "relu", name="rnn")(inputs)
    model = tf.keras.Model(inputs, layers.Dense(1, "relu", name="dense")(hidden))
    trained = load_weights(Path("models/float.weights.h5"), network_shapes("SimpleRNN", UNITS))
    set_weights(model, trained)
    model.compile(tf.keras.optimizers.legacy.Adam(params.search.learning_rate), "mse")

    def closeness(truth: Any, reconstructed: Any) -> Any:
        return 1 / (1 + 1000 * tf.square(truth - reconstructed))

    config = {
        kind: dict(entries)
        for kind, entries in params.search.quantization_config.items()
        if kind != "state"
    }
    goal = {
        "type": "energy",
        "params": {
            "delta_p": 8.0,
            "delta_n": 8.0,
            "rate": 2.0,
            "stress": 1.0,
            "process": "horowitz",
            "parameters_on_memory": ["sram", "sram"],
            "activations_on_memory": ["sram", "sram"],
            "rd_wr_on_io": [False, False],
            "min_sram_size": [0, 0],
            "source_quantizers": None,
            "reference_internal": "int8",
            "reference_accumulator": "int32",
        },
    }
    with tempfile.TemporaryDirectory() as directory:
        search = AutoQKeras(
            model,
            metrics=[closeness],
            goal=goal,
            output_dir=directory,
            mode="random",
            seed=seed,
            transfer_weights=True,
            limit={"SimpleRNN": [8, 14, 8, 12], "Dense": [8, 14, 12]},
            tune_filters="none",
            tune_filters_exceptions="",
            quantization_config=config,
            max_trials=trials,
        )
        start = time.perf_counter()
        search.fit(
            *data[0],
            validation_data=data[1],
            batch_size=BATCH,
            epochs=epochs,
            verbose=0,
            callbacks=[tf.keras.callbacks.EarlyStopping("val_loss", patience=epochs)],
        )
        seconds = time.perf_counter() - start
        done = [t for t in search.tuner.oracle.trials.values() if t.status == "COMPLETED"]
        found = []
        for trial in done:
            network = describe_model(search.tuner.hypermodel.build(trial.hyperparameters))
            loss = trial.metrics.get_best_value("val_loss")
            found.append(
                (
                    rmse_mev(loss, prepared.train.et_scale_gev),
                    network_energy(network, params.energy).total,
                )
            )
    _report(seconds, trials, found)


def _report(seconds: float, trials: int, found: list[tuple[float, float]]) -> None:
    """Report a search; `found` has RMSE in MeV and energy in pJ of its trials."""
    params, prepared = load_params(), read_prepared(Path("data/prepared.h5"))
    goal = params.search.goal
    network = float_network("SimpleRNN", UNITS, prepared.train.window_length)
    reference_pj = network_energy(network, params.energy, "reference").total
    float_mev = float(read_json(Path("metrics/train.json"))["validation_rmse_mev"])

    def points(trial_mev: float, energy_pj: float) -> float:
        delta = forgiving_delta(
            reference_pj,
            energy_pj,
            delta_p=goal.delta_p,
            delta_n=goal.delta_n,
            rate=goal.rate,
            stress=goal.stress,
        )
        return score(float_mev, trial_mev, delta)

    if not found:
        raise RuntimeError(f"none of {trials} trials completed")
    report(
        trial_s=seconds / trials,
        search_s=seconds,
        completed=float(len(found)),
        best_score=max(points(*trial) for trial in found),
        best_rmse_mev=min(rmse for rmse, _ in found),
    )


def run_ours(trials: int, epochs: int, seed: int) -> None:
    """Search as the stage does; report seconds of a trial and the best score."""
    from pipeline.quantization.blocks import plan_search
    from pipeline.quantization.search_run import make_runner, search_blocks

    params = load_params()
    # Local workers would read params.yaml; one process is what stock has, too.
    changed = {"max_trials": trials, "epochs": epochs, "seed": seed, "workers": 1}
    settings = params.search.model_copy(update=changed)
    prepared = read_prepared(Path("data/prepared.h5"))
    cell, units, length = params.train.cell, params.train.units, prepared.train.window_length
    with tempfile.TemporaryDirectory() as directory:
        start = time.perf_counter()
        blocks, costs = plan_search(settings, params.energy, cell, units, length)
        runner = make_runner(
            settings,
            prepared,
            Path("models/float.weights.h5"),
            costs,
            cell=cell,
            strategy="auto",
            directory=Path(directory) / "state",
        )
        records = [r for tuner in search_blocks(runner, blocks) for r in tuner.records()]
        seconds = time.perf_counter() - start
    _report(seconds, trials, [(r.validation_rmse_mev, 1000 * r.energy_nj) for r in records])


def _run_side(side: str, size: tuple[int, int], first_seed: int, repeat: int) -> Figures:
    trials, epochs = map(str, size)
    seed = str(first_seed + repeat)
    return contender(
        "benchmarks.trials",
        *("--contender", side, "--trials", trials, "--epochs", epochs, "--seed", seed),
    )


def main() -> None:
    """Run one contender, or both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=["stock", "ours"])
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--our-trials", type=int, help="as --trials unless said")
    parser.add_argument("--our-epochs", type=int, help="as --epochs unless said")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args()
    train = load_params().train
    if (train.cell, train.units) != ("SimpleRNN", UNITS):
        parser.error(f"the stock side is a SimpleRNN of {UNITS} units: so must be train")
    stock = (options.trials, options.epochs)
    ours = (options.our_trials or options.trials, options.our_epochs or options.epochs)
    if options.contender:
        run = run_stock if options.contender == "stock" else run_ours
        run(options.trials, options.epochs, options.seed)
        return
    sides = {
        "stock": partial(_run_side, "stock", stock, options.seed),
        "ours": partial(_run_side, "ours", ours, options.seed),
    }
    print(f"{machine()}; batch {BATCH}")
    print(f"stock: {stock[0]} trials of {stock[1]} epochs; ours: {ours[0]} of {ours[1]}\n")
    print(HEADER)
    found = alternate(sides, options.repeats)
    for key, title in (
        ("trial_s", "seconds of a trial"),
        ("search_s", "seconds of the search"),
        ("completed", "trials completed"),
        ("best_score", "best score (forgiving factor)"),
        ("best_rmse_mev", "best validation RMSE, MeV"),
        ("peak_mb", "peak memory, MB"),
    ):
        print(ratio_row(title, key, found))


if __name__ == "__main__":
    main()
