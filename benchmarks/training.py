"""Training: Keras' `fit` as in the notebook against the compiled loop over steps.

Both sides start from the same weights, with the same batch and learning rate; each repeat
has a seed of its own. Some seeds give a dead float network on both sides: 2 and 3 do not, 4
died on the stock side.

``python -m benchmarks.training [--kind float|quantized] [--epochs N] [--repeats N] [--target MEV]``
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare import HEADER, alternate, contender, machine, ratio_row, report
from benchmarks.stock import materialise
from pipeline.artifacts import load_weights, read_prepared
from pipeline.quantization.quantizers import parse_quantizer, quantized_tensors

BATCH = 64
LEARNING_RATE = 0.001
UNITS = 8
_WEIGHT = "quantized_bits(6,0,1,alpha='auto_po2')"
_BY_KIND = {
    "input": "quantized_bits(12,0,0,alpha=1)",
    "kernel": _WEIGHT,
    "recurrent_kernel": _WEIGHT,
    "bias": "quantized_bits(12,0,0,alpha=1)",
    "activation": "quantized_relu(8,0)",
    "state": "quantized_relu(8,0)",
}


def quantizers() -> dict[str, Any]:
    """Return the same quantisers for both sides: 6-bit weights, 8-bit state."""
    texts = {t: _BY_KIND[t.rpartition("/")[2]] for t in quantized_tensors("SimpleRNN")}
    texts["dense/activation"] = "quantized_relu(12,0)"
    return {tensor: parse_quantizer(text, tensor) for tensor, text in texts.items()}


def initial_weights(kind: str) -> dict[str, Any] | None:
    """Quantized training starts from the float weights on both sides."""
    if kind == "float":
        return None
    from pipeline.rnn.network import float_weight_shapes

    length = read_prepared(Path("data/prepared.h5")).train.window_length
    shapes = float_weight_shapes("SimpleRNN", UNITS, length)
    return load_weights(Path("models/float.weights.h5"), shapes)


def run_stock(kind: str, epochs: int, target_mev: float, seed: int) -> None:
    """Train as the notebook did; report seconds of each epoch and until the target."""
    import tensorflow as tf

    from pipeline.quantization.network import build_quantized_network
    from pipeline.rnn.network import build_float_network, set_weights

    start = time.perf_counter()
    tf.keras.utils.set_random_seed(seed)
    prepared = read_prepared(Path("data/prepared.h5"))
    data = [materialise(split) for split in (prepared.train, prepared.validation)]
    length = prepared.train.window_length
    layers = tf.keras.layers
    if kind == "float":
        shared = build_float_network("SimpleRNN", UNITS, length).get_weights()  # drawn first
        model = tf.keras.Sequential(
            [layers.SimpleRNN(UNITS, "relu", input_shape=(length, 1)), layers.Dense(1, "relu")]
        )
        model.set_weights(shared)
    else:
        model = build_quantized_network("SimpleRNN", UNITS, length, quantizers(), unroll=False)
        set_weights(model, initial_weights(kind))
    model.compile(tf.keras.optimizers.Adam(LEARNING_RATE), "mse")
    clock = EpochClock(prepared.train.et_scale_gev, target_mev, start)

    class Callback(tf.keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            assert logs is not None
            self.model.stop_training = clock.epoch_done(logs["val_loss"])

    clock.begin()
    model.fit(
        *data[0],
        batch_size=BATCH,
        epochs=epochs,
        validation_data=data[1],
        callbacks=[Callback()],
        verbose=0,
    )
    clock.report()


def run_ours(kind: str, epochs: int, target_mev: float, seed: int) -> None:
    """Train with `WindowFitter`, same batch, rate and initial weights."""
    import tensorflow as tf

    from pipeline.quantization.network import build_quantized_network
    from pipeline.rnn.fitting import WindowData, WindowFitter
    from pipeline.rnn.network import build_float_network, set_weights
    from pipeline.rnn.runtime import make_strategy, seed_everything

    start = time.perf_counter()
    seed_everything(seed)
    prepared = read_prepared(Path("data/prepared.h5"))
    train, validation = (
        WindowData.from_split(split) for split in (prepared.train, prepared.validation)
    )
    length = prepared.train.window_length
    strategy = make_strategy("auto")
    with strategy.scope():
        if kind == "float":
            model = build_float_network("SimpleRNN", UNITS, length)
        else:
            model = build_quantized_network("SimpleRNN", UNITS, length, quantizers())
            set_weights(model, initial_weights(kind))
        optimizer = tf.keras.optimizers.Adam(LEARNING_RATE)
    fitter = WindowFitter(model, optimizer, strategy)
    clock = EpochClock(prepared.train.et_scale_gev, target_mev, start)
    generator = np.random.default_rng(seed)
    clock.begin()
    for _ in range(epochs):
        fitter.run_epoch(train, BATCH, generator)
        if clock.epoch_done(fitter.mean_squared_error(validation)):
            break
    clock.report()


class EpochClock:
    """Seconds of each epoch, validation included, and until a validation RMSE is reached."""

    def __init__(self, et_scale_gev: float, target_mev: float, start: float) -> None:
        self._scale_mev = et_scale_gev * 1000
        self._target_mev = target_mev
        self._start = start
        self._marks: list[float] = []
        self._rmse_mev: list[float] = []

    def begin(self) -> None:
        """Start the first epoch."""
        self._marks.append(time.perf_counter())

    def epoch_done(self, validation_loss: float) -> bool:
        """Note the end of an epoch; return whether the target is reached."""
        self._marks.append(time.perf_counter())
        self._rmse_mev.append(float(np.sqrt(validation_loss)) * self._scale_mev)
        return self._rmse_mev[-1] <= self._target_mev

    def report(self) -> None:
        """Print the figures; the first epoch holds tracing and compilation."""
        seconds = np.diff(self._marks)
        later = seconds[1:] if len(seconds) > 1 else seconds
        report(
            first_epoch_s=float(seconds[0]),
            later_epoch_s=float(np.median(later)),
            total_s=self._marks[-1] - self._start,
            epochs=float(len(seconds)),
            best_rmse_mev=min(self._rmse_mev),
            reached=float(self._rmse_mev[-1] <= self._target_mev),
        )


def main() -> None:
    """Run one contender, or all of them in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=["stock", "ours"])
    parser.add_argument("--kind", choices=["float", "quantized"], help="both by default")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--target", type=float, default=0.0, help="stop at this RMSE, MeV")
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    if options.contender:
        run = run_stock if options.contender == "stock" else run_ours
        run(options.kind, options.epochs, options.target, options.seed)
        return
    print(f"{machine()}; batch {BATCH}, {options.epochs} epochs, {options.repeats} repeats\n")
    print(HEADER)
    for kind in [options.kind] if options.kind else ["float", "quantized"]:
        arguments = ["--kind", kind, "--epochs", str(options.epochs)]
        arguments += ["--target", str(options.target)]

        def side(name: str, arguments: list[str], repeat: int) -> dict[str, float]:
            seed = ("--seed", str(options.seed + repeat))
            return contender("benchmarks.training", "--contender", name, *arguments, *seed)

        sides = {name: partial(side, name, arguments) for name in ("stock", "ours")}
        found = alternate(sides, options.repeats)
        for key, title in (
            ("later_epoch_s", "seconds of an epoch"),
            ("first_epoch_s", "seconds of the first epoch, with compilation"),
            ("total_s", "seconds in all, data included"),
            ("best_rmse_mev", "best validation RMSE, MeV"),
            ("epochs", "epochs"),
            ("peak_mb", "peak memory, MB"),
        ):
            print(ratio_row(f"{kind}: {title}", key, found, "stock", "ours"), flush=True)


if __name__ == "__main__":
    main()
