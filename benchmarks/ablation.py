"""Where the time of a stock epoch goes: one change after the other, float network.

``python -m benchmarks.ablation [--windows N] [--epochs N] [--repeats N]``; each variant in a
process of its own, in turn. The first, compiling epoch has a column of its own. Every line
changes what it says against the line it names, and nothing else. The RMSE after the last
epoch shows what a larger batch costs: fewer steps.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.compare import Figures, alternate, contender, machine, ratios, report, spread
from benchmarks.networks import BATCH, UNITS, schedule
from benchmarks.stock import materialise
from benchmarks.training import PREPARED
from pipeline.samples.prepared import SEQUENCES, Split, read_prepared

STEPS = 512
COLUMNS = (
    "seconds of an epoch",
    "first line / this",
    "seconds of the first epoch",
    "validation RMSE, MeV",
    "peak memory, MB",
)


@dataclass(frozen=True)
class Variant:
    """How an epoch is made.

    Attributes
    ----------
    loop
        ``fit`` (Keras), ``host`` (one compiled loop, batches cut by NumPy and fed in blocks
        of `STEPS`) or ``device`` (the same loop, which cuts them from the sequence itself).
    unroll, xla, deterministic
        Of the network, the compiler, the operations.
    pool
        Whether XLA hands its matrix products to a pool of threads, as it does unless told.
    batch
        Windows in a step.
    steps
        ``steps_per_execution`` of Keras.
    callbacks
        ``none``, ``epoch`` (the recipe's after each epoch) or ``step`` (one line of Python
        after each step).
    """

    loop: str
    unroll: bool = False
    xla: bool = False
    deterministic: bool = False
    pool: bool = True
    batch: int = BATCH
    steps: int = 1
    callbacks: str = "none"


_FIT = Variant("fit")
_HOST = Variant("host")
_DEVICE = Variant("device")
_XLA = replace(_DEVICE, unroll=True, xla=True)
_DETERMINISTIC = replace(_XLA, deterministic=True)
_OURS = replace(_DETERMINISTIC, pool=False)
VARIANTS: dict[str, Variant] = {
    "A: Keras fit, as in the notebook": _FIT,
    "A, a callback in Python after each step": replace(_FIT, callbacks="step"),
    "A, unrolled in time": replace(_FIT, unroll=True),
    "A, unrolled and XLA (jit_compile)": replace(_FIT, unroll=True, xla=True),
    "A, 512 steps per call (steps_per_execution)": replace(_FIT, steps=STEPS),
    "A, batch 1024": replace(_FIT, batch=1024),
    "B: A as one compiled loop of 512 steps": _HOST,
    "C: B, windows cut on the device": _DEVICE,
    "D: C, unrolled in time": replace(_DEVICE, unroll=True),
    "C, XLA, not unrolled": replace(_DEVICE, xla=True),
    "E: D, XLA": _XLA,
    "F: E, op determinism": _DETERMINISTIC,
    "G: F, products on one thread (the pipeline)": _OURS,
    "G, the recipe's callbacks after each epoch": replace(_OURS, callbacks="epoch"),
    "G, batch 256": replace(_OURS, batch=256),
    "G, batch 1024": replace(_OURS, batch=1024),
    "G, batch 8192": replace(_OURS, batch=8192),
}


def run(variant: Variant, n_windows: int, epochs: int) -> None:
    """Time epochs and report them; the first holds tracing and compilation."""
    # Before XLA compiles anything; other flags of the user would blur the comparison.
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={str(variant.pool).lower()}"
    import tensorflow as tf

    from pipeline.networks.runtime import make_strategy

    strategy = make_strategy("auto")
    tf.keras.utils.set_random_seed(2)
    if variant.deterministic:
        tf.config.experimental.enable_op_determinism()
    prepared = read_prepared(PREPARED)
    train = _first(prepared.train, n_windows)
    layers = tf.keras.layers
    # Keras' `fit` stands for the notebook, which has no strategy.
    with nullcontext() if variant.loop == "fit" else strategy.scope():
        rnn = layers.SimpleRNN(
            UNITS, "relu", unroll=variant.unroll, input_shape=(train.window_length, 1), name="rnn"
        )
        model = tf.keras.Sequential([rnn, layers.Dense(1, "relu", name="dense")])
        optimizer = tf.keras.optimizers.Adam()
    loops: dict[str, Callable[..., list[float]]] = {
        "fit": fit_seconds, "host": host_seconds, "device": device_seconds,
    }  # fmt: skip
    seconds = loops[variant.loop](variant, model, optimizer, strategy, train, epochs)
    report(
        first_epoch_s=seconds[0],
        epoch_s=statistics.median(seconds[1:]) if epochs > 1 else None,
        rmse_mev=_validation_rmse(model, prepared.validation),
    )


def _first(split: Split, n_windows: int) -> Split:
    """Return the first windows of a split."""
    length = n_windows + split.window_length
    return replace(split, **{name: getattr(split, name)[:length] for name in SEQUENCES})


def fit_seconds(
    variant: Variant, model: Any, optimizer: Any, _: Any, train: Split, epochs: int
) -> list[float]:
    """Return the seconds of each epoch of Keras' `fit` on materialised windows."""
    import tensorflow as tf

    x, y = materialise(train)
    model.compile(optimizer, "mse", jit_compile=variant.xla, steps_per_execution=variant.steps)
    marks: list[float] = []
    callbacks = [
        tf.keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda *_: marks.append(time.perf_counter()),
            on_epoch_end=lambda *_: marks.append(time.perf_counter()),
        )
    ]
    if variant.callbacks == "step":
        losses: list[float] = []
        callbacks.append(
            tf.keras.callbacks.LambdaCallback(
                on_batch_end=lambda _, logs: losses.append(logs["loss"])
            )
        )
    model.fit(x, y, variant.batch, epochs=epochs, verbose=0, callbacks=callbacks)
    return [end - begin for begin, end in zip(marks[::2], marks[1::2], strict=True)]


def host_seconds(
    variant: Variant, model: Any, optimizer: Any, strategy: Any, train: Split, epochs: int
) -> list[float]:
    """Return the seconds of each epoch of a compiled loop that batches are fed to.

    The last, incomplete batch of an epoch is left out.
    """
    import tensorflow as tf

    x, y = materialise(train)
    with strategy.scope():
        optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=variant.xla, reduce_retracing=True)
    def train_block(inputs: tf.Tensor, targets: tf.Tensor) -> None:
        for step in tf.range(tf.shape(inputs)[0]):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(inputs[step], training=True) - targets[step]))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    def epoch(generator: np.random.Generator) -> None:
        whole = len(x) // variant.batch * variant.batch
        order = generator.permutation(len(x))[:whole].reshape(-1, variant.batch)
        for begin in range(0, len(order), STEPS):
            rows = order[begin : begin + STEPS]
            train_block(tf.constant(x[rows]), tf.constant(y[rows]))

    return _timed(epoch, epochs)


def device_seconds(
    variant: Variant, model: Any, optimizer: Any, strategy: Any, train: Split, epochs: int
) -> list[float]:
    """Return the seconds of each epoch of `WindowFitter`, with or without XLA."""
    import tensorflow as tf

    from pipeline.networks.fitting import WindowData, WindowFitter

    data = WindowData.from_split(train, strategy)
    fitter = WindowFitter(model, optimizer, strategy)
    if not variant.xla:
        fitter._train = tf.function(fitter._train_loop, autograph=False)
    handlers = tf.keras.callbacks.CallbackList(
        schedule("plateau", epochs) if variant.callbacks == "epoch" else [], model=model
    )
    handlers.on_train_begin()
    done = iter(range(epochs))

    def epoch(generator: np.random.Generator) -> None:
        loss = fitter.run_epoch(data, variant.batch, generator)
        handlers.on_epoch_end(next(done), {"loss": loss, "val_loss": loss})

    return _timed(epoch, epochs)


def _timed(epoch: Callable[[np.random.Generator], None], epochs: int) -> list[float]:
    generator = np.random.default_rng(2)
    seconds = []
    for _ in range(epochs):
        start = time.perf_counter()
        epoch(generator)
        seconds.append(time.perf_counter() - start)
    return seconds


def _validation_rmse(model: Any, validation: Split) -> float:
    """Return the RMSE over all validation windows, MeV."""
    x, _ = materialise(validation)
    scaled = model.predict(x, batch_size=16384, verbose=0)[:, 0]
    return validation.rmse_mev(scaled * validation.et_scale_gev)


def _run_variant(number: int, options: argparse.Namespace, _repeat: int) -> Figures:
    return contender(
        "benchmarks.ablation",
        *("--variant", str(number)),
        *("--windows", str(options.windows), "--epochs", str(options.epochs)),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one variant, or all in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", type=int)
    parser.add_argument("--only", nargs="*", help="variants whose title begins so")
    parser.add_argument("--windows", type=int, default=450_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args(arguments)
    if options.variant is not None:
        run(list(VARIANTS.values())[options.variant], options.windows, options.epochs)
        return
    print(f"{machine()}; {options.windows} windows, batch {BATCH} unless said\n")
    print(f"| variant | {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * len(COLUMNS)}")
    sides = {
        title: partial(_run_variant, number, options)
        for number, title in enumerate(VARIANTS)
        if not options.only or title.startswith(tuple(options.only))
    }
    found = alternate(sides, options.repeats)
    first = [figures["epoch_s"] for figures in next(iter(found.values()))]
    for title, runs in found.items():
        columns = {key: [figures[key] for figures in runs] for key in runs[0]}
        cells = [
            spread(columns["epoch_s"]),
            spread(ratios(first, columns["epoch_s"]) or [None]),
            *(spread(columns[key]) for key in ("first_epoch_s", "rmse_mev", "peak_mb")),
        ]
        print(f"| {title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
