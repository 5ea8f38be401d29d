"""Cost in bunch crossings: time and peak memory of every stage that reads all data.

``python -m benchmarks.scaling [--n-bc N ...]``; each step runs in a process of its own, in a
temporary directory. Training makes two epochs. The predictions of `finetune`, `synthesize`
and `rtl` are made with a network of 6-bit weights that was not trained: the time does not
depend on what the weights are. What the stages do besides does not grow with the data.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from numpy.typing import NDArray

from benchmarks.compare import Figures, contender, machine, report
from benchmarks.networks import UNITS, made_up_weights, quantizers
from pipeline.base.architecture import Architecture
from pipeline.base.schema import read, write
from pipeline.integers import golden
from pipeline.integers.network import INTEGER_NETWORK, IntegerNetwork
from pipeline.samples.predictions import write_predictions
from pipeline.samples.prepared import PREPARED, Split, read_prepared

EPOCHS = 2
STEPS = {
    "simulate": "simulate",
    "prepare": "prepare",
    "train": f"train ({EPOCHS} epochs, predictions)",
    "float": "float network, predictions",
    "quantized": "finetune: QKeras network, predictions",
    "golden": "synthesize, rtl: integer model, predictions",
    "evaluate": "evaluate",
}


def run_stage(stage: str) -> None:
    """Run one stage in the working directory and report it."""
    module = importlib.import_module(f"pipeline.{stage}")
    start = time.perf_counter()
    module.main()
    report(seconds=time.perf_counter() - start)


def run_network(kind: str) -> None:
    """Predict all test windows with one form of the network; write what `evaluate` reads."""
    test = read_prepared(PREPARED).test
    predict = golden_model(test) if kind == "golden" else keras_model(kind, test)
    start = time.perf_counter()
    outputs = predict()
    seconds = time.perf_counter() - start
    write_predictions(Path(f"data/{'firmware' if kind == 'golden' else kind}_test.npy"), outputs)
    report(seconds=seconds)


def keras_model(kind: str, test: Split) -> Callable[[], NDArray[Any]]:
    """Return what predicts with a network in TensorFlow; write its integers, if it has any."""
    import tensorflow as tf

    from pipeline.networks.fitting import WindowData, WindowFitter
    from pipeline.networks.float_network import get_weights, set_weights
    from pipeline.networks.runtime import make_strategy
    from pipeline.quantization.finetuning.export import to_integer_network
    from pipeline.quantization.training.network import build_quantized_network, forward, freeze

    strategy = make_strategy("auto")
    chosen = quantizers() if kind == "quantized" else {}
    architecture = Architecture("SimpleRNN", UNITS, test.window_length)
    with strategy.scope():
        model = build_quantized_network(architecture, chosen)
    set_weights(model, made_up_weights())
    freeze(model)
    if chosen:
        integers = to_integer_network(architecture, get_weights(model), chosen, test.et_scale_gev)
        write(INTEGER_NETWORK, integers)
    fitter = WindowFitter(model, tf.keras.optimizers.Adam(), strategy, forward)
    return lambda: fitter.predict(WindowData.from_split(test, strategy))


def golden_model(test: Split) -> Callable[[], NDArray[Any]]:
    """Return what predicts with the integers of the step before, without TensorFlow."""
    network = read(IntegerNetwork, INTEGER_NETWORK)
    test = test.for_network(network)
    return lambda: golden.evaluate(network, test.windows(test.scaled_samples()))


def measure(n_bc: int, step: str, source: Path) -> Figures:
    """Run one step in the working directory, which earlier steps have filled."""
    if not Path("params.yaml").exists():
        params = yaml.safe_load((source / "params.yaml").read_text(encoding="utf-8"))
        params["simulate"]["n_bc"] = n_bc
        params["train"]["epochs"] = EPOCHS
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return contender("benchmarks.scaling", "--contender", step)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sizes one after the other, or one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contender", choices=list(STEPS))
    parser.add_argument("--n-bc", type=int, nargs="+", default=[200_000, 2_000_000, 20_000_000])
    options = parser.parse_args(arguments)
    if options.contender:
        networks = ("float", "quantized", "golden")
        (run_network if options.contender in networks else run_stage)(options.contender)
        return
    source = Path.cwd()
    print(f"{machine()}\n")
    print("| BCs | step | seconds | peak memory, MB |\n| ---: | --- | ---: | ---: |")
    for n_bc in options.n_bc:
        with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
            for step, title in STEPS.items():
                figures = measure(n_bc, step, source)
                seconds, peak_mb = figures["seconds"], figures["peak_mb"]
                print(f"| {n_bc} | {title} | {seconds:.2f} | {peak_mb:.0f} |", flush=True)


if __name__ == "__main__":
    main()
