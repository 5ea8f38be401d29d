"""Training: Keras' `fit` as in the notebook against the compiled loop over steps.

``python -m benchmarks.training [--kind float|quantized] [--epochs N] [--our-epochs N]
[--targets MEV ...] [--schedule constant|plateau|cosine] [--repeats N]``

Both sides train the same network from the same weights with the same batch, rate and
schedule; each repeat has a seed of its own. Every training runs all its epochs: the time to
a target ends with the first epoch whose validation RMSE is as low. A pair in which one side
did not get there is no ratio. Some seeds give a dead float network on either side.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial

import numpy as np

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
from benchmarks.networks import (
    BATCH,
    LEARNING_RATE,
    SCHEDULES,
    UNITS,
    first_weights,
    quantizers,
    schedule,
)
from benchmarks.stock import materialise
from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32
from pipeline.samples.prepared import PREPARED, read_prepared

KINDS = ("float", "quantized")
ROWS = {
    "later_epoch_s": "seconds of an epoch",
    "first_epoch_s": "seconds of the first epoch, with compilation",
    "total_s": "seconds of all epochs, data and compilation included",
    "epochs": "epochs",
    "final_rmse_mev": "validation RMSE after the last epoch, MeV",
    "best_rmse_mev": "best validation RMSE, MeV",
    "peak_mb": "peak memory, MB",
}


def run_stock(options: argparse.Namespace) -> None:
    """Train as the notebook did: windows in memory, Keras' `fit`, no unrolling."""
    import tensorflow as tf

    from benchmarks.clock import EpochClock
    from pipeline.networks.float_network import set_weights
    from pipeline.quantization.training.network import build_quantized_network

    prepared = read_prepared(PREPARED)
    length = prepared.train.window_length
    architecture = Architecture("SimpleRNN", UNITS, length)
    start_weights = first_weights(options.kind, length, options.seed)
    clock = EpochClock(prepared.train.et_scale_gev, time.perf_counter())
    tf.keras.utils.set_random_seed(options.seed)
    data = [materialise(split) for split in (prepared.train, prepared.validation)]
    if options.kind == "float":
        recurrent = tf.keras.layers.SimpleRNN(UNITS, "relu", input_shape=(length, 1), name="rnn")
        dense = tf.keras.layers.Dense(1, "relu", name="dense")
        model = tf.keras.Sequential([recurrent, dense])
    else:
        model = build_quantized_network(architecture, quantizers(), unroll=False)
    set_weights(model, start_weights)
    model.compile(tf.keras.optimizers.Adam(LEARNING_RATE), "mse")
    model.fit(
        *data[0],
        batch_size=BATCH,
        epochs=options.epochs,
        validation_data=data[1],
        callbacks=[*schedule(options.schedule, options.epochs), clock],
        verbose=0,
    )
    report(**clock.figures(options.targets), weights_sum=_sum(start_weights))


def run_ours(options: argparse.Namespace) -> None:
    """Train as the stages do: the sequence on the device, `WindowFitter`."""
    import tensorflow as tf

    from benchmarks.clock import EpochClock
    from pipeline.networks.fitting import Schedule, WindowData, WindowFitter
    from pipeline.networks.float_network import build_float_network, set_weights
    from pipeline.networks.runtime import make_strategy, seed_everything
    from pipeline.quantization.training.network import build_quantized_network, forward

    strategy = make_strategy("auto")
    prepared = read_prepared(PREPARED)
    length = prepared.train.window_length
    architecture = Architecture("SimpleRNN", UNITS, length)
    start_weights = first_weights(options.kind, length, options.seed)
    clock = EpochClock(prepared.train.et_scale_gev, time.perf_counter())
    seed_everything(options.seed)
    splits = prepared.train, prepared.validation
    train, validation = (WindowData.from_split(split, strategy) for split in splits)
    quantized = options.kind == "quantized"
    with strategy.scope():
        if quantized:
            model = build_quantized_network(architecture, quantizers())
        else:
            model = build_float_network(architecture)
        optimizer = tf.keras.optimizers.Adam(LEARNING_RATE)
    set_weights(model, start_weights)
    fitter = WindowFitter(model, optimizer, strategy, forward if quantized else None)
    fitter.fit(
        train,
        validation,
        Schedule(options.epochs, BATCH, options.seed),
        callbacks=[*schedule(options.schedule, options.epochs), clock],
    )
    report(**clock.figures(options.targets), weights_sum=_sum(start_weights))


def _sum(weights: dict[str, F32]) -> float:
    """Return a figure by which two sets of first weights can be told apart."""
    return float(sum(np.sum(np.abs(value), dtype=np.float64) for value in weights.values()))


def compare(kind: str, options: argparse.Namespace) -> dict[str, list[Figures]]:
    """Run both sides in turn.

    Raises
    ------
    RuntimeError
        If the two sides of a pair did not start from the same weights.
    """
    epochs = {"stock": options.epochs, "ours": options.our_epochs or options.epochs}

    def side(name: str, repeat: int) -> Figures:
        return contender(
            "benchmarks.training",
            *("--contender", name, "--kind", kind, "--epochs", str(epochs[name])),
            *("--schedule", options.schedule, "--seed", str(options.seed + repeat)),
            *("--targets", *map(str, options.targets)),
        )

    found = alternate({name: partial(side, name) for name in epochs}, options.repeats)
    for stock, ours in zip(found["stock"], found["ours"], strict=True):
        if stock["weights_sum"] != ours["weights_sum"]:
            raise RuntimeError(
                "benchmarks.training: expected the same first weights on both sides, found sums of "
                f"{stock['weights_sum']} and {ours['weights_sum']}"
            )
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one contender, or all of them in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=["stock", "ours"])
    parser.add_argument("--kind", choices=KINDS, help="both unless said")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--our-epochs", type=int, help="as --epochs unless said")
    parser.add_argument("--targets", type=float, nargs="*", default=[53.0, 52.0, 51.0, 50.0])
    parser.add_argument("--schedule", choices=SCHEDULES, default="constant")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args(arguments)
    if options.contender:
        (run_stock if options.contender == "stock" else run_ours)(options)
        return
    from benchmarks.clock import target_key

    print(machine())
    print(
        f"batch {BATCH}, learning rate {LEARNING_RATE} ({options.schedule}); stock: "
        f"{options.epochs} epochs, ours: {options.our_epochs or options.epochs}; "
        f"{options.repeats} pairs, seeds from {options.seed} on\n\n{HEADER}"
    )
    for kind in [options.kind] if options.kind else KINDS:
        found = compare(kind, options)
        for key, title in ROWS.items():
            print(ratio_row(f"{kind}: {title}", key, found), flush=True)
        for target in options.targets:
            title = f"{kind}: seconds to {target:g} MeV, data and compilation included"
            print(ratio_row(title, target_key(target), found, NOT_REACHED), flush=True)


if __name__ == "__main__":
    main()
