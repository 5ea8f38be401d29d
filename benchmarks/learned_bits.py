"""The front of learned bits: RMSE, bit operations and area of eight networks of one training.

``python -m benchmarks.learned_bits [--start NAME] [--seeds N ...] [--prices X ...]
[--synthesise N]``; after `dvc repro`. A training starts from ``float``, or from a trial of
models/search.json (``best``, or its name). Each lane has a price of its own. RMSE is that of the
golden model on validation. Area is that of the network alone, without the streaming core, by
Yosys for UltraScale+; `lut_route_through` counts LUTs that only place and route would show.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.compare import machine
from pipeline.artifacts.search import SEARCH, SearchResult
from pipeline.base.architecture import Architecture, network_shapes
from pipeline.base.arrays import F32
from pipeline.base.schema import read
from pipeline.base.weights import FLOAT_WEIGHTS, load_weights
from pipeline.firmware.rtl.project import verilog_files, write_rtl
from pipeline.firmware.survey.survey import golden_rmse_mev
from pipeline.firmware.synthesis.yosys import FAMILIES, synthesize
from pipeline.integers import golden
from pipeline.integers.network import IntegerNetwork
from pipeline.networks.stack.formats import NetworkFormats
from pipeline.networks.stack.learned import LearnedStack
from pipeline.networks.stack.learned_network import LearnedNetwork, ValueBits
from pipeline.networks.stack.stack import Stack, Windows, lanes
from pipeline.params import load_params
from pipeline.params.firmware import RtlParams
from pipeline.quantization.finetuning.trials import trial_quantizers, trial_weights
from pipeline.quantization.learned_bits.export import integer_network
from pipeline.quantization.learned_bits.learning import Data, Learned, Recipe, learn_bits
from pipeline.quantization.training.lanes import network_formats
from pipeline.quantization.training.rescaling import within_one
from pipeline.samples.prepared import PREPARED, Prepared, Split, read_prepared

FLOAT = "float"
PRICES = (8e-6, 1.1e-5, 1.4e-5, 1.7e-5, 2e-5, 2.4e-5, 3e-5, 4e-5)
_WEIGHT_BITS, _UNIT_BITS = 8, 10  # after the point, of a start from the float network
_PROBED = 16384  # windows
_TIMEOUT_S = 1800


def windows_of(split: Split, values: ValueBits) -> Windows:
    """Return a split as a stack reads it, samples rounded half to even."""
    steps = 2.0**values.sample
    samples = np.clip(np.rint(split.scaled_samples() * steps), -steps, steps - 1) / steps
    return Windows(
        np.ascontiguousarray(samples, np.float32),
        np.ascontiguousarray(split.scaled_truth(), np.float32),
        split.window_length,
        split.window_length - split.target_lag,
        split.et_scale_gev,
    )


def float_weights() -> dict[str, F32]:
    """Return the weights of the float network."""
    train = load_params().train
    return load_weights(FLOAT_WEIGHTS, network_shapes(train.cell, train.units))


def start_of(name: str, prepared: Prepared) -> LearnedNetwork:
    """Return where a training starts: the float network, or a trial's quantized weights."""
    length = prepared.train.window_length
    if name == FLOAT:
        spread = np.linspace(0, prepared.train.n_windows - 1, _PROBED).astype(int)
        samples = prepared.train.scaled_samples()[spread[:, None] + np.arange(length)]
        within = within_one(float_weights(), samples)
        return LearnedNetwork.with_bits(within, _WEIGHT_BITS, _UNIT_BITS)
    search, train = read(SearchResult, SEARCH), load_params().train
    trial = search.network(name, "--start")
    form = Architecture(train.cell, train.units, length)
    quantizers = trial_quantizers(trial)
    formats = network_formats(form, quantizers, trial.units)
    if formats is None:
        raise SystemExit(f"--start {name}: a stack does not know its quantizers")
    weights = trial_weights(search, form)[trial.trial]
    quantized = Stack([formats] * lanes(), [weights] * lanes()).quantized_weights[0]
    return LearnedNetwork.of_quantized(quantized, quantizers["rnn/state"].bits)


def mismatches(found: Learned, network: IntegerNetwork, split: Split) -> int:
    """Return on how many windows the integers differ from what was trained."""
    stack = LearnedStack([found.network] * lanes(), network.window_length, 1.0)
    outputs = stack.predict(windows_of(split, ValueBits()))[:, 0]
    return int(np.sum(golden.evaluate(network, split.windows(split.scaled_samples())) != outputs))


def area(network: IntegerNetwork, rtl: RtlParams) -> dict[str, int]:
    """Return cycles and resources of the network alone."""
    with TemporaryDirectory(prefix="learned-bits-") as temporary:
        work = Path(temporary)
        design = write_rtl(network, rtl, work / "rtl")
        files = verilog_files(work / "rtl", stream=False)
        family = FAMILIES["xcup"]
        found = synthesize(files, design.top, family, work / "yosys", _TIMEOUT_S, flat=False)
    return {"cycles": design.latency_cycles, **found.resources}


def run(
    start: str, seed: int, prices: Sequence[float], recipe: Recipe, synthesised: int
) -> list[str]:
    """Train, and return a row of the table for each lane."""
    prepared = read_prepared(PREPARED)
    values = ValueBits()
    train, validation = (windows_of(s, values) for s in (prepared.train, prepared.validation))
    weights = float_weights()
    floats = Stack([NetworkFormats()] * lanes(), [weights] * lanes())
    reference = float(floats.mean_squared_errors(validation)[0])
    begin = start_of(start, prepared)
    begun = time.process_time()

    def progress(epoch: int, losses: np.ndarray, operations: np.ndarray) -> None:
        mev = 1000 * validation.et_scale_gev * np.sqrt(losses)
        print(epoch + 1, np.round(mev, 2), operations.astype(int), file=sys.stderr)

    data = Data(train, validation, reference)
    found = learn_bits([begin] * lanes(), prices, seed, data, recipe, values, progress)
    seconds = time.process_time() - begun
    rows = []
    for lane, one in enumerate(found):
        network = integer_network(one.rounded, prepared.train.window_length, train.et_scale_gev)
        cells = area(network, load_params().rtl) if lane in _chosen(found, synthesised) else None
        columns = ("lut", "lut_route_through", "ff", "cycles")
        taken = [str(cells[name]) if cells else "" for name in columns]
        both = str(cells["lut"] + cells["lut_route_through"]) if cells else ""
        rmse = golden_rmse_mev(network, prepared.validation)
        different = mismatches(one, network, prepared.validation)
        figures = [f"{one.price:.2g}", str(one.rounded.operations), f"{rmse:.2f}", str(different)]
        cpu = f"{seconds / lanes():.1f}"
        row = [start, str(seed), *figures, *taken[:2], both, *taken[2:], cpu]
        rows.append("| " + " | ".join(row) + " |")
    return rows


def _chosen(found: Sequence[Learned], count: int) -> list[int]:
    """Return lanes of the front, the cheapest first."""
    order = np.argsort([one.rounded.operations for one in found], kind="stable")
    front = [
        int(lane)
        for place, lane in enumerate(order)
        if all(
            found[lane].validation_loss < found[cheaper].validation_loss
            for cheaper in order[:place]
        )
    ]
    return front[:count]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of one row for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--start", default="best", help="float, best, or the name of a trial")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--prices", type=float, nargs=lanes(), default=PRICES)
    parser.add_argument("--epochs", type=int, nargs=2, default=(60, 20), metavar=("N", "FIXED"))
    parser.add_argument("--synthesise", type=int, default=0, metavar="N", help="of each front")
    options = parser.parse_args(arguments)
    print(f"{machine()}\n\nRMSE on validation, MeV; CPU seconds a network.\n")
    print(
        "| start | seed | price | bit operations | RMSE | windows that differ | LUT | "
        "route-through | both | FF | cycles | CPU s |"
    )
    print("| --- |" + " ---: |" * 11)
    recipe = Recipe(*options.epochs)
    for seed in options.seeds:
        for row in run(options.start, seed, options.prices, recipe, options.synthesise):
            print(row, flush=True)


if __name__ == "__main__":
    main()
