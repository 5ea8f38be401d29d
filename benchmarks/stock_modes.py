"""Which searches of stock AutoQKeras run at all for this network, and how the others fail.

``python -m benchmarks.stock_modes [--mode MODE]``: random, bayesian and hyperband of
`AutoQKeras`, and blocks of `AutoQKerasScheduler`, on 256 made-up windows; each once as
installed and once repaired, in a process of its own. Needs no data. ``repaired`` is what
the benchmark `trials` uses: QKeras made to run on Keras 2.15 (`benchmarks.autoqkeras`),
Keras' legacy Adam, and a metric that is positive and grows with quality.

keras-tuner ends without an error when trials fail: what counts are those that completed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.autoqkeras import GOAL, repair
from pipeline.base.arrays import F32

MODES = ("random", "bayesian", "hyperband", "blocks")
HOW = ("as installed", "repaired")
TIMEOUT_S = 600
_ANSWER = "answer: "
_TRIALS = 2
_EPOCHS = 3
_QUANTIZERS = {
    "kernel": {"quantized_bits(6,0,1,alpha=1)": 6, "quantized_bits(8,0,1,alpha=1)": 8},
    "recurrent_kernel": {"quantized_bits(6,0,1,alpha=1)": 6},
    "bias": {"quantized_bits(8,0,1,alpha=1)": 8},
    "activation": {"quantized_relu(8,0)": 8},
}
_LIMIT = {"SimpleRNN": [8, 8, 8, 8], "Dense": [8, 8, 8]}


def windows(n: int = 256, length: int = 5) -> tuple[F32, F32]:
    """Return made-up windows (n, length, 1) and what they should give (n, 1), float32."""
    samples = np.random.default_rng(1).uniform(0, 0.3, (n, length, 1)).astype(np.float32)
    return samples, samples[:, 0]


def search(mode: str, repaired: bool) -> str:
    """Search once; return how many trials (of the last block) completed, or why none did."""
    if repaired:
        repair()
    import tensorflow as tf
    from qkeras.autoqkeras import AutoQKeras, AutoQKerasScheduler

    def closeness(truth: Any, reconstructed: Any) -> Any:
        return 1 / (1 + 1000 * tf.square(truth - reconstructed))

    adam = tf.keras.optimizers.legacy.Adam if repaired else tf.keras.optimizers.Adam
    inputs = tf.keras.Input((5, 1))
    hidden = tf.keras.layers.SimpleRNN(8, "relu", name="rnn")(inputs)
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(1, "relu", name="dense")(hidden))
    model.compile(adam(0.001), "mse")
    samples, targets = windows()
    kind: Any = AutoQKerasScheduler if mode == "blocks" else AutoQKeras
    more: dict[str, Any] = {"mode": "random" if mode == "blocks" else mode}
    if mode == "blocks":
        more |= {"blocks": ["rnn", "dense"], "schedule_block": "sequential"}
    more |= {"max_epochs": _EPOCHS} if mode == "hyperband" else {"max_trials": _TRIALS}
    with tempfile.TemporaryDirectory() as directory:
        found = kind(
            model,
            metrics=[closeness] if repaired else ["mse"],
            goal=GOAL,
            output_dir=f"{directory}/search",
            quantization_config=_QUANTIZERS,
            limit=_LIMIT,
            tune_filters="none",
            tune_filters_exceptions="",
            seed=1,
            **more,
        )
        found.fit(samples, targets, validation_data=(samples, targets), epochs=1, verbose=0)
    tuner = found.autoqk.tuner if mode == "blocks" else found.tuner
    return outcome(list(tuner.oracle.trials.values()))


def outcome(trials: Sequence[Any]) -> str:
    """Return ``runs: n of m trials``, or what the first failed trial says, in one line."""
    completed = sum(trial.status == "COMPLETED" for trial in trials)
    if completed:
        return f"runs: {completed} of {len(trials)} trials"
    messages = [trial.message for trial in trials if trial.message]
    return f"every trial fails: {one_line(messages[0])}" if messages else "no trial"


def one_line(message: str) -> str:
    """Return the first sentence of what a traceback ends with, at most 160 characters."""
    lines = [line for line in message.strip().splitlines() if line[:1].strip()]
    return (lines[-1] if lines else message.strip()).split(". ")[0][:160]


def ask(mode: str, how: str) -> str:
    """Search in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.stock_modes", "--mode", mode, "--how", how]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"not over after {TIMEOUT_S} s"
    answers = [line for line in result.stdout.splitlines() if line.startswith(_ANSWER)]
    if answers:
        return answers[-1].removeprefix(_ANSWER)
    return f"fails: {one_line(result.stderr)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of all modes, or, with ``--how``, run one search here."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stock_modes")
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--how", choices=HOW, help="run it in this process")
    options = parser.parse_args(arguments)
    if options.how:
        print(_ANSWER + search(options.mode or MODES[0], options.how == "repaired"))
        return
    print(f"| mode | {' | '.join(HOW)} |\n| --- | --- | --- |")
    for mode in [options.mode] if options.mode else MODES:
        print(f"| {mode} | {' | '.join(ask(mode, how) for how in HOW)} |", flush=True)


if __name__ == "__main__":
    main()
