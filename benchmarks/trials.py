"""Search: stock AutoQKeras trials against this project's, on the full training set.

``python -m benchmarks.trials [--trials N] [--epochs N] [--repeats N]``

Stock AutoQKeras runs here with the repairs that it needs on Keras 2.15, a positive metric
that grows with quality, and without a state quantiser, which it cannot search. Its energy
goal does not count recurrent layers. The time is what is compared, not the choice.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.compare import HEADER, alternate, contender, machine, ratio_row, report
from benchmarks.stock import materialise
from pipeline.artifacts import read_prepared
from pipeline.params import load_params

BATCH = 64


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


def run_stock(trials: int, epochs: int) -> None:
    """Search with stock AutoQKeras; report seconds of a trial."""
    repair_autoqkeras()
    import tensorflow as tf
    from qkeras.autoqkeras import AutoQKeras

    params = load_params()
    prepared = read_prepared(Path("data/prepared.h5"))
    data = [materialise(split) for split in (prepared.train, prepared.validation)]
    length = prepared.train.window_length
    layers = tf.keras.layers
    inputs = tf.keras.Input((length, 1))
    hidden = layers.SimpleRNN(8, "relu", name="rnn")(inputs)
    model = tf.keras.Model(inputs, layers.Dense(1, "relu", name="dense")(hidden))
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
            seed=42,
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
        completed = [t for t in search.tuner.oracle.trials.values() if t.status == "COMPLETED"]
    report(trial_s=seconds / trials, search_s=seconds, completed=float(len(completed)))


def run_ours(trials: int, epochs: int) -> None:
    """Search with this project's tuner; report seconds of a trial."""
    from pipeline.quantization.cost import CostModel
    from pipeline.quantization.energy import float_network
    from pipeline.quantization.search_run import make_runner
    from pipeline.quantization.search_space import build_search_space, network_layers
    from pipeline.quantization.tuner import QuantizationTuner

    params = load_params()
    settings = params.search.model_copy(update={"max_trials": trials, "epochs": epochs})
    prepared = read_prepared(Path("data/prepared.h5"))
    description = float_network("SimpleRNN", 8, prepared.train.window_length)
    costs = CostModel(description, params.energy, "energy")
    with tempfile.TemporaryDirectory() as directory:
        runner = make_runner(
            settings,
            prepared,
            Path("models/float.weights.h5"),
            costs,
            cell="SimpleRNN",
            strategy="auto",
            directory=Path(directory) / "state",
        )
        choices = build_search_space(settings, network_layers("SimpleRNN"))
        tuner = QuantizationTuner(runner, choices)
        start = time.perf_counter()
        tuner.search()
        seconds = time.perf_counter() - start
        completed = len(tuner.records())
    report(trial_s=seconds / trials, search_s=seconds, completed=float(completed))


def _run_side(side: str, arguments: tuple[str, ...], _repeat: int) -> dict[str, float]:
    return contender("benchmarks.trials", "--contender", side, *arguments)


def main() -> None:
    """Run one contender, or both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=["stock", "ours"])
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if options.contender:
        run = run_stock if options.contender == "stock" else run_ours
        run(options.trials, options.epochs)
        return
    arguments = ("--trials", str(options.trials), "--epochs", str(options.epochs))
    sides = {side: partial(_run_side, side, arguments) for side in ("stock", "ours")}
    print(f"{machine()}; {options.trials} trials of {options.epochs} epochs, batch {BATCH}\n")
    print(HEADER)
    found = alternate(sides, options.repeats)
    print(ratio_row("seconds of a trial", "trial_s", found, "stock", "ours"))
    print(ratio_row("trials completed", "completed", found, "stock", "ours"))
    print(ratio_row("peak memory, MB", "peak_mb", found, "stock", "ours"))


if __name__ == "__main__":
    main()
