"""Where the time of a stock epoch goes: one change after the other, float network.

``python -m benchmarks.ablation [--windows N] [--repeats N]``; each variant in a process of its
own, in turn; the first, compiling epoch is not counted.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compare import Figures, alternate, contender, machine, report, spread
from benchmarks.stock import materialise
from pipeline.artifacts import read_prepared

BATCH = 64
KERAS = {
    "Keras fit, as in the notebook": {},
    "+ unrolled in time": {"unroll": True},
    "+ XLA (jit_compile)": {"unroll": True, "jit": True},
    "+ 512 steps per call (steps_per_execution)": {"unroll": True, "jit": True, "steps": 512},
}
OURS = {
    "one compiled loop over 512 steps": {"deterministic": True, "batch": BATCH},
    "the same, op determinism off": {"deterministic": False, "batch": BATCH},
    "the same, batch 256": {"deterministic": True, "batch": 256},
    "the same, batch 1024": {"deterministic": True, "batch": 1024},
    "the same, batch 8192": {"deterministic": True, "batch": 8192},
}
VARIANTS = [*KERAS, *OURS]


def run_keras(n_windows: int, unroll: bool = False, jit: bool = False, steps: int = 1) -> None:
    """Time the second epoch of Keras' `fit` on materialised windows."""
    import tensorflow as tf

    train = read_prepared(Path("data/prepared.h5")).train
    x, y = materialise(train, n_windows)
    tf.keras.utils.set_random_seed(2)
    layers = tf.keras.layers
    rnn = layers.SimpleRNN(8, "relu", input_shape=(train.window_length, 1), unroll=unroll)
    model = tf.keras.Sequential([rnn, layers.Dense(1, "relu")])
    model.compile("adam", "mse", jit_compile=jit, steps_per_execution=steps)
    marks: list[float] = []
    clock = tf.keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: marks.append(time.perf_counter()),
        on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter()),
    )
    model.fit(x, y, BATCH, epochs=2, verbose=0, callbacks=[clock])
    report(epoch_s=marks[3] - marks[2], first_epoch_s=marks[1] - marks[0])


def run_loop(n_windows: int, deterministic: bool, batch: int) -> None:
    """Time the second epoch of `WindowFitter`."""
    import tensorflow as tf

    from pipeline.rnn.fitting import WindowData, WindowFitter
    from pipeline.rnn.network import build_float_network
    from pipeline.rnn.runtime import make_strategy

    tf.keras.utils.set_random_seed(2)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    split = read_prepared(Path("data/prepared.h5")).train
    whole = WindowData.from_split(split)
    length = n_windows + split.window_length
    data = WindowData(whole.samples[:length], whole.truth[:length], 5, split.target_lag)
    strategy = make_strategy("auto")
    with strategy.scope():
        model = build_float_network("SimpleRNN", 8, split.window_length)
        optimizer = tf.keras.optimizers.Adam()
    fitter = WindowFitter(model, optimizer, strategy)
    generator = np.random.default_rng(2)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        fitter.run_epoch(data, batch, generator)
        seconds.append(time.perf_counter() - start)
    report(epoch_s=seconds[1], first_epoch_s=seconds[0])


def _run_variant(index: int, n_windows: int, _repeat: int) -> Figures:
    arguments = ("--variant", str(index), "--windows", str(n_windows))
    return contender("benchmarks.ablation", *arguments)


def main() -> None:
    """Run one variant, or all in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", type=int)
    parser.add_argument("--windows", type=int, default=450_000)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    if options.variant is not None:
        name = VARIANTS[options.variant]
        settings: dict[str, Any] = KERAS[name] if name in KERAS else OURS[name]
        (run_keras if name in KERAS else run_loop)(options.windows, **settings)
        return
    print(f"{machine()}; {options.windows} windows, batch {BATCH} unless said\n")
    print("| variant | seconds of an epoch | seconds of the first |\n| --- | ---: | ---: |")
    sides = {
        name: partial(_run_variant, index, options.windows) for index, name in enumerate(VARIANTS)
    }
    found = alternate(sides, options.repeats)
    for name, runs in found.items():
        later = spread([figures["epoch_s"] for figures in runs])
        print(f"| {name} | {later} | {spread([figures['first_epoch_s'] for figures in runs])} |")


if __name__ == "__main__":
    main()
