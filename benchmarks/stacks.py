"""Network-epochs a CPU second: quantized networks by Keras, one by one, and as lanes of stacks.

``python -m benchmarks.stacks [--networks 1 8 16 64] [--epochs N] [--repeats N]``; each side in
a process of its own, in turn. A trial of the search is what is timed: build, first epoch and
the rest, each with its validation. Keras compiles for every network, a stack for none. CPU
seconds of the process, since other processes of the machine lengthen wall times.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial

from benchmarks.compare import Figures, alternate, contender, machine, ratios, report, spread
from benchmarks.training import PREPARED
from pipeline.base.architecture import Architecture, quantized_tensors
from pipeline.quantizers.quantizer import parse_quantizer
from pipeline.samples.prepared import read_prepared

UNITS = 7
KERAS = "keras"
_QUANTIZERS = {
    "input": "quantized_bits(11,0,0,alpha=1)",
    "rnn/kernel": "binary(alpha='auto_po2')",
    "rnn/recurrent_kernel": "quantized_bits(5,0,1,alpha='auto_po2')",
    "rnn/activation": "quantized_relu(12,0)",
    "rnn/state": "quantized_relu(8,0)",
    "dense/kernel": "quantized_bits(8,0,1,alpha='auto_po2')",
    "dense/activation": "quantized_relu(12,0)",
}
_BIAS = "quantized_bits(14,0,0,alpha=1)"


def measure(side: str, networks: int, epochs: int, seed: int) -> None:
    """Train on the prepared data and report; what a process of its own does."""
    from pipeline.networks.fitting import WindowData
    from pipeline.networks.runtime import make_strategy
    from pipeline.networks.stack.fitting import Progress
    from pipeline.networks.stack.library import load
    from pipeline.networks.stack.stack import lanes
    from pipeline.quantization.training.keras_training import KerasTraining
    from pipeline.quantization.training.settings import QatSettings
    from pipeline.quantization.training.stack_training import StackTraining

    prepared = read_prepared(PREPARED)
    strategy = make_strategy("cpu")
    splits = prepared.train, prepared.validation
    train, validation = (WindowData.from_split(split, strategy) for split in splits)
    form = Architecture("SimpleRNN", UNITS, train.window_length)
    quantizers = {
        tensor: parse_quantizer(_QUANTIZERS.get(tensor, _BIAS), tensor)
        for tensor in quantized_tensors(form.cell)
    }
    keras = KerasTraining(form, train, validation, strategy)
    stack, progress = StackTraining(keras), Progress("benchmark", shown=False)
    formats = stack.formats(quantizers, UNITS)
    assert formats is not None
    load()  # built once a machine
    settings = [QatSettings(epochs, 64, 1e-3, seed + n, starts=lanes()) for n in range(networks)]
    begun = time.process_time()
    if side == KERAS:
        for one in settings:
            keras.fit(quantizers, None, one, progress, None)
    else:
        for one in settings[:: lanes()]:
            stack.fit(formats, quantizers, None, one, progress, None)
    seconds = time.process_time() - begun
    report(seconds=seconds, network_epochs_per_second=networks * epochs / seconds)


def run(side: str, networks: int, epochs: int, repeat: int) -> Figures:
    """Measure one side in a process of its own."""
    numbers = map(str, (networks, epochs, repeat))
    return contender("benchmarks.stacks", "--side", side, *numbers)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of one row for each number of networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--networks", type=int, nargs="+", default=[1, 8, 16, 64])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--side", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.side:
        side, *numbers = options.side
        measure(side, *map(int, numbers))
        return
    print(f"{machine()}\n\nQuantized networks of {UNITS} units, {options.epochs} epochs each.\n")
    print("| side, networks | network-epochs a CPU s | times Keras | peak memory, MB |")
    print("| --- | ---: | ---: | ---: |")
    sides = {f"{KERAS}, 1": partial(run, KERAS, 1, options.epochs)}
    for count in options.networks:
        sides[f"stack, {count}"] = partial(run, "stack", count, options.epochs)
    found = alternate(sides, options.repeats)
    rate = "network_epochs_per_second"
    of_keras = [figures[rate] for figures in found[f"{KERAS}, 1"]]
    for name, figures in found.items():
        own = [one[rate] for one in figures]
        memory = spread([one["peak_mb"] for one in figures])
        times = spread(ratios(own, of_keras))
        print(f"| {name} | {spread(own)} | {times} | {memory} |")


if __name__ == "__main__":
    main()
