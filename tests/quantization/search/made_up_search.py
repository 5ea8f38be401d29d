"""A search whose trainer makes losses up, so that only the search itself takes time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.base.architecture import Architecture
from pipeline.networks.checkpoint import Checkpoint
from pipeline.networks.fitting import FitResult
from pipeline.params import load_params
from pipeline.params.network import SearchParams
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.search.plan.space import (
    build_search_space,
    declared_bits,
    network_layers,
)
from pipeline.quantization.search.trials.quantizer_tuner import QuantizationTuner
from pipeline.quantization.search.trials.runner import TrialRunner, measure_baseline
from pipeline.quantization.training.result import QatResult
from pipeline.quantization.training.settings import QatSettings
from tests.imports import ROOT

PARAMS = ROOT / "params.yaml"
ARCHITECTURE = Architecture("SimpleRNN", 8, 5)
WEIGHTS = {name: np.zeros(shape, np.float32) for name, shape in ARCHITECTURE.weight_shapes.items()}
# A SimpleRNN's space is the tests' own, whatever is shipped; the rest is what is shipped.
CONFIG: dict[str, dict[str, int]] = {
    "kernel": {f"quantized_bits({bits},0,1,alpha='auto_po2')": bits for bits in (6, 8)},
    "recurrent_kernel": {
        f"quantized_bits({bits},0,1,alpha='auto_po2')": bits for bits in (4, 5, 6, 8, 10)
    },
    "activation": {f"quantized_relu({bits},0)": bits for bits in (10, 12)},
    "state": {f"quantized_relu({bits},0)": bits for bits in (8, 9, 10, 12)},
}
LIMIT = {"SimpleRNN": [8, 14, 10, 12, 12]}
OF_GATED_CELLS_TOO = ("activation", "state")
DIRECTORY = Path("state/search")
REFERENCE_LOSS = 1e-5


class MadeUpTrainer:
    """A `QatTrainer` whose loss follows from the quantizers, the seed and the epochs.

    The loss is the trained weight itself, so `validation_loss` finds it again.
    `fail` and `interrupt` hold numbers of calls of `fit`, from 0.
    """

    def __init__(self, fail: tuple[int, ...] = (), interrupt: int | None = None) -> None:
        self.fail = fail
        self.interrupt = interrupt
        self.trained: list[str] = []
        self.settings: list[QatSettings] = []
        self.started_from: list[Any] = []
        self.went_on_from: list[Any] = []
        self.dead_seeds: set[int] = set()
        self.kernels: list[str] = []  # that starts were rescaled for
        self.calls = 0

    def fit(self, quantizers, initial_weights, settings, description, checkpoint=None):
        call, self.calls = self.calls, self.calls + 1
        if call == self.interrupt:
            raise KeyboardInterrupt
        if call in self.fail:
            raise FloatingPointError(f"the loss is not finite in call {call}")
        self.trained.append(description)
        self.settings.append(settings)
        self.started_from.append(initial_weights)
        loss = np.float32(1e-5 * (1 + self.penalty(quantizers, settings)))
        weights = {**WEIGHTS, "dense/bias": np.array([loss])}
        self.went_on_from.append(checkpoint)
        fit = FitResult(loss=[float(loss)] * (settings.reached - settings.first_epoch))
        unfinished = settings.reached < settings.epochs
        checkpoint = Checkpoint(weights, WEIGHTS, WEIGHTS) if unfinished else None
        return QatResult(weights, float(loss), fit, self.dead(settings), checkpoint)

    def starts_of(self, units, count):
        return 1

    def float_starts(self, weights, units, count):
        return [weights]

    def rescaled(self, starts, kernel):
        if kernel is not None:
            self.kernels.append(kernel.text)
        return starts

    def load_checkpoint(self, path, quantizers, settings):
        shapes = ARCHITECTURE.with_units(settings.units or ARCHITECTURE.units).weight_shapes
        return Checkpoint.load(path, shapes)

    def dead(self, settings):
        return settings.seed in self.dead_seeds

    @staticmethod
    def penalty(quantizers, settings):
        bits = sum(2.0**-quantizer.bits for quantizer in quantizers.values())
        return bits + (settings.seed * 2654435761 % 1000) / 1e4 + 0.1 / settings.reached

    def validation_loss(self, quantizers, weights):
        return float(weights["dense/bias"][0]) if quantizers else REFERENCE_LOSS


SMALL: dict[str, Any] = {  # 2 * 2 combinations
    "quantization_config": {
        "kernel": {"quantized_bits(4,0,0,alpha=1)": 4, "quantized_bits(8,0,0,alpha=1)": 8},
        "recurrent_kernel": {
            "quantized_bits(5,0,0,alpha=1)": 5,
            "quantized_bits(7,0,0,alpha=1)": 7,
        },
        "bias": {"quantized_bits(8,0,0,alpha=1)": 8},
        "activation": {"quantized_relu(8,0)": 8},
        "state": {"quantized_relu(8,0)": 8},
    },
    "limit": {"SimpleRNN": 8, "Dense": [["quantized_bits(8,0,0,alpha=1)"], 8, 8]},
}


def search_params(**changed: Any) -> SearchParams:
    small = {"mode": "random", "max_trials": 6, "epochs": 3}
    halving = {"first_epochs": 1, "survivors": 2, "descents": 0}
    alone = {"tune_filters": "none", "uniform_bits": []}
    changed = {**small, **halving, **alone, **changed}
    shipped = load_params(PARAMS).search
    tree = shipped.model_dump()
    tree["goal"]["max_rmse_ratio"] = None
    config = declared_bits(shipped)
    tree["quantization_config"] = config | {
        kind: {**config[kind], **entries} if kind in OF_GATED_CELLS_TOO else entries
        for kind, entries in CONFIG.items()
    }
    tree["limit"] |= LIMIT
    return SearchParams.model_validate({**tree, **changed})


def make_tuner(params: SearchParams, trainer: MadeUpTrainer, directory: Path = DIRECTORY):
    costs = CostModel(ARCHITECTURE, load_params(PARAMS).energy, params.goal.type)
    baseline = measure_baseline(trainer, WEIGHTS, costs, 16.0)
    runner = TrialRunner(params, trainer, costs, baseline, WEIGHTS, 16.0, directory)
    return QuantizationTuner(runner, build_search_space(params, network_layers("SimpleRNN")))


def search(params: SearchParams, trainer: MadeUpTrainer | None = None, directory=DIRECTORY):
    tuner = make_tuner(params, trainer or MadeUpTrainer(), directory)
    tuner.search()
    return tuner


class ResizingTrainer(MadeUpTrainer):
    """Makes weights of the right shapes; counts how often a width is started."""

    def __init__(self) -> None:
        super().__init__()
        self.widths: list[int] = []

    def fit(self, quantizers, initial_weights, settings, description, checkpoint=None):
        result = super().fit(quantizers, initial_weights, settings, description, checkpoint)
        shapes = ARCHITECTURE.with_units(settings.units).weight_shapes
        weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        weights["dense/bias"][:] = result.validation_loss
        stand = None if result.checkpoint is None else Checkpoint(weights, weights, weights)
        return replace(result, weights=weights, checkpoint=stand)

    def float_starts(self, weights, units, count):
        self.widths.append(units)
        shapes = ARCHITECTURE.with_units(units).weight_shapes
        return [{name: np.full(shape, units, np.float32) for name, shape in shapes.items()}]
