"""Cost in bunch crossings: time and peak memory of data, training and prediction.

``python -m benchmarks.scaling [--n-bc N ...]``; each size runs in processes of its own, in a
temporary directory.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.compare import contender, machine, report

_EPOCHS = 2


def run_stage(stage: str) -> None:
    """Run one stage in the working directory and report it."""
    import importlib

    module = importlib.import_module(f"pipeline.{stage}")
    start = time.perf_counter()
    module.main()
    report(seconds=time.perf_counter() - start)


def run_models() -> None:
    """Predict all test windows with the float network and the golden integer model."""
    import numpy as np
    import tensorflow as tf

    from pipeline.artifacts import load_weights, read_prepared
    from pipeline.detector.windows import windows
    from pipeline.firmware import golden
    from pipeline.integer_network import read_integer_network
    from pipeline.rnn.fitting import WindowData, WindowFitter
    from pipeline.rnn.network import build_float_network, set_weights, weight_shapes
    from pipeline.rnn.runtime import make_strategy

    source = Path(os.environ["BENCHMARK_SOURCE"])
    test = read_prepared(Path("data/prepared.h5")).test
    strategy = make_strategy("auto")
    with strategy.scope():
        model = build_float_network("SimpleRNN", 8, test.window_length)
    set_weights(model, load_weights(source / "models/float.weights.h5", weight_shapes(model)))
    start = time.perf_counter()
    WindowFitter(model, tf.keras.optimizers.Adam(), strategy).predict(WindowData.from_split(test))
    float_s = time.perf_counter() - start
    network = read_integer_network(source / "models/integer.json")
    start = time.perf_counter()
    samples = np.asarray(test.dig_et_gev) / np.float32(network.et_scale_gev)
    golden.evaluate(network, windows(samples, network.window_length))
    report(float_s=float_s, golden_s=time.perf_counter() - start, windows=float(test.n_windows))


def main() -> None:
    """Run the sizes one after the other, or one contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender")
    parser.add_argument("--n-bc", type=int, nargs="+", default=[200_000, 2_000_000, 20_000_000])
    options = parser.parse_args()
    if options.contender:
        run_models() if options.contender == "models" else run_stage(options.contender)
        return
    root = Path.cwd()
    os.environ["PYTHONPATH"] = str(root)
    os.environ["BENCHMARK_SOURCE"] = str(root)
    print(f"{machine()}; training: {_EPOCHS} epochs\n")
    print("| BCs | step | seconds | peak memory, MB |\n| ---: | --- | ---: | ---: |")
    for n_bc in options.n_bc:
        with tempfile.TemporaryDirectory() as directory:
            params = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
            params["simulate"]["n_bc"] = n_bc
            params["train"]["epochs"] = _EPOCHS
            Path(directory, "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
            os.chdir(directory)
            for stage in ("simulate", "prepare", "train"):
                figures = contender("benchmarks.scaling", "--contender", stage)
                row = f"| {n_bc} | {stage} | {figures['seconds']:.1f} | {figures['peak_mb']:.0f} |"
                print(row, flush=True)
            figures = contender("benchmarks.scaling", "--contender", "models")
            for name in ("float", "golden"):
                seconds = f"{figures[f'{name}_s']:.2f}"
                step = f"{name} network on {figures['windows']:.0f} windows"
                print(f"| {n_bc} | {step} | {seconds} | {figures['peak_mb']:.0f} |", flush=True)
            os.chdir(root)


if __name__ == "__main__":
    main()
