"""Run a planned search: block after block, then uniform networks, alone or with workers."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.artifacts.search import Trial
from pipeline.base.architecture import INPUT
from pipeline.base.arrays import F32
from pipeline.base.errors import say
from pipeline.base.files import read_json, write_json
from pipeline.networks.fitting import WindowData
from pipeline.networks.runtime import make_strategy
from pipeline.params.network import SearchParams
from pipeline.params.processes import ProcessesParams
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.search.cluster import in_cluster, is_worker
from pipeline.quantization.search.lines import start_lines
from pipeline.quantization.search.plan.blocks import Block
from pipeline.quantization.search.trials.network_tuner import NetworkTuner, check_complete
from pipeline.quantization.search.trials.quantizer_tuner import Decided, QuantizationTuner, best_of
from pipeline.quantization.search.trials.runner import SearchError, TrialRunner, measure_baseline
from pipeline.quantization.search.trials.uniform_tuner import UniformTuner
from pipeline.quantization.training.trainer import QatTrainer
from pipeline.quantizers.quantizer import parse_quantizer
from pipeline.samples.prepared import Prepared

WORKER_COMMAND = (sys.executable, "-m", "pipeline.search")
_POLL_S = 0.2


def make_runner(
    params: SearchParams,
    costs: CostModel,
    prepared: Prepared,
    float_weights: Mapping[str, F32],
    strategy: str,
    directory: Path,
) -> TrialRunner:
    """Put the data on the devices and measure the float network.

    Parameters
    ----------
    params, costs, float_weights, directory
        See `TrialRunner`.
    prepared
        Splits; the test split is not touched.
    strategy
        ``train.strategy``.
    """
    devices = make_strategy(strategy)
    splits = prepared.train, prepared.validation
    train, validation = (WindowData.from_split(split, devices) for split in splits)
    trainer = QatTrainer(costs.architecture, train, validation, devices)
    scale_gev = prepared.train.et_scale_gev
    baseline = measure_baseline(trainer, float_weights, costs, scale_gev)
    return TrialRunner(params, trainer, costs, baseline, float_weights, scale_gev, directory)


@dataclass(frozen=True)
class Searched:
    """A search that is over.

    Attributes
    ----------
    tuners
        One for each block, in order.
    points
        The uniform networks, if any were asked for.
    """

    tuners: list[QuantizationTuner]
    points: UniformTuner | None


def run_search(
    runner: TrialRunner,
    blocks: Sequence[Block],
    processes: ProcessesParams,
    command: Sequence[str] | None = None,
) -> Searched | None:
    """Search every block, then train the uniform networks; a worker returns None.

    Parameters
    ----------
    runner
        Trains the networks of this process.
    blocks
        In the order in which they are searched.
    processes
        The ``processes`` section.
    command
        What a local worker runs; None is the stage `search`.

    Raises
    ------
    SearchError
        If trials are missing in the end.
    """
    from pipeline.quantization.search.trials import (
        workers,  # loads gRPC, which one process does not need
    )

    params = runner.params
    local = processes.workers > 1 and not in_cluster()
    timeout_s = processes.worker_timeout_s
    crowd: Any = (
        workers.local_workers(processes.workers, command or WORKER_COMMAND)
        if local
        else nullcontext({})
    )
    tuners: list[QuantizationTuner] = []
    points = None
    decided: Decided | None = None
    start = runner
    if is_worker():
        workers.prepare_worker(timeout_s)
    else:
        say(*start_lines(params, blocks, runner.baseline))
    with crowd as local_processes:
        for number, block in enumerate(blocks):
            tuner = _tuner(start, block, number, decided, alone=len(blocks) == 1)
            _complete(tuner, local_processes, timeout_s)
            best = _await_best(tuner, timeout_s) if is_worker() else _publish_best(tuner)
            tuners.append(tuner)
            decided = _decide(best)
            if params.transfer_weights:  # the next block starts from its weights
                start = replace(runner, float_weights=tuner.weights(best.trial), varied=False)
        if params.uniform_bits:
            # The oracle's list belongs to these points; with another, it has another state.
            folder = "_".join(["uniform", *map(str, params.uniform_bits)])
            beside = replace(runner, directory=runner.directory / folder)
            points = UniformTuner(beside, phase=len(blocks))
            _complete(points, local_processes, timeout_s)
    if is_worker():
        return None
    if points is not None:
        check_complete(points)
    return Searched(tuners, points)


def _complete(tuner: NetworkTuner, processes: Any, timeout_s: float) -> None:
    """Train what a tuner asks for: here, in the workers that call, or as one of them."""
    from pipeline.quantization.search.trials import workers

    tuner.announces = True
    if not is_worker() and (kept := len(tuner.records())):
        say(f"{kept} trials of an earlier run are used again:")
        tuner.report()
    if in_cluster() and not is_worker():
        workers.serve(tuner, processes, timeout_s)
    else:
        tuner.search()


def _tuner(
    runner: TrialRunner, block: Block, number: int, decided: Decided | None, alone: bool
) -> QuantizationTuner:
    of_block = replace(
        runner,
        params=runner.params.model_copy(update={"max_trials": block.max_trials}),
        directory=runner.directory / ("trials" if alone else f"block{number + 1}"),
    )
    return QuantizationTuner(
        of_block,
        block.choices,
        filters=block.filters,
        decided=decided,
        prefix="" if alone else f"block{number + 1}_",
        phase=number,
    )


def _decide(best: Trial) -> Decided:
    """Fix what a block's best trial has."""
    quantizers = {
        tensor: parse_quantizer(text, tensor)
        for tensor, text in best.quantizers.items()
        if tensor != INPUT
    }
    return Decided(quantizers, best.units)


def _publish_best(tuner: QuantizationTuner) -> Trial:
    check_complete(tuner)
    best = best_of(tuner.records())
    write_json(tuner.state / "best.json", {"trial": best.trial})
    return best


def _await_best(tuner: QuantizationTuner, timeout_s: float) -> Trial:
    """Wait until the chief has said which trial is carried on."""
    file = tuner.state / "best.json"
    deadline = time.monotonic() + timeout_s
    while not file.exists():
        if time.monotonic() > deadline:
            raise SearchError(f"processes.worker_timeout_s: {file} did not appear")
        time.sleep(_POLL_S)
    return tuner.runner.record(str(read_json(file)["trial"]))
