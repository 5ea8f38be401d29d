"""A search whose trainer makes losses up, so that only the search itself takes time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.params import load_params
from pipeline.params.network import SearchParams
from pipeline.quantization.cost import CostModel
from pipeline.quantization.energy import float_network
from pipeline.quantization.progress import Progress
from pipeline.quantization.runner import TrialRunner, float_reference
from pipeline.quantization.search_space import build_search_space, network_layers
from pipeline.quantization.trial import QatResult, QatSettings
from pipeline.quantization.tuner import QuantizationTuner
from pipeline.rnn.fitting import FitResult

PARAMS = Path(__file__).parents[2] / "params.yaml"
WEIGHTS = {"rnn/kernel": np.zeros((1, 2), np.float32), "dense/bias": np.zeros(1, np.float32)}
DIRECTORY = Path("state/search")
REFERENCE_LOSS = 1e-5


class MadeUpTrainer:
    """A `QatTrainer` whose loss follows from the quantisers, the seed and the epochs.

    The loss is the trained weight itself, so `validation_loss` finds it again.
    `fail` and `interrupt` hold numbers of calls of `fit`, from 0.
    """

    cell = "SimpleRNN"

    def __init__(self, fail: tuple[int, ...] = (), interrupt: int | None = None) -> None:
        self.fail = fail
        self.interrupt = interrupt
        self.trained: list[str] = []
        self.settings: list[QatSettings] = []
        self.started_from: list[Any] = []
        self.went_on_from: list[Any] = []
        self.dead_seeds: set[int] = set()
        self.calls = 0

    def fit(self, quantizers, initial_weights, settings, description, progress=None):
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
        self.went_on_from.append(progress)
        fit = FitResult(loss=[float(loss)] * (settings.reached - settings.first_epoch))
        stand = Progress(weights, WEIGHTS, WEIGHTS) if settings.reached < settings.epochs else None
        return QatResult(weights, float(loss), fit, self.dead(settings), stand)

    def dead(self, settings):
        return settings.seed in self.dead_seeds

    @staticmethod
    def penalty(quantizers, settings):
        bits = sum(2.0**-quantizer.bits for quantizer in quantizers.values())
        return bits + (settings.seed * 2654435761 % 1000) / 1e4 + 0.1 / settings.reached

    def validation_loss(self, quantizers, weights):
        return float(weights["dense/bias"][0]) if quantizers else REFERENCE_LOSS


def search_params(**changed: Any) -> SearchParams:
    small = {"mode": "random", "max_trials": 6, "epochs": 3, "first_epochs": 1, "survivors": 2}
    alone = {"tune_filters": "none", "workers": 1, "uniform_bits": []}
    changed = {**small, **alone, **changed}
    tree = load_params(PARAMS).search.model_dump()
    tree["goal"]["max_rmse_ratio"] = None
    return SearchParams.model_validate({**tree, **changed})


def make_tuner(params: SearchParams, trainer: MadeUpTrainer, directory: Path = DIRECTORY):
    costs = CostModel(
        float_network("SimpleRNN", 8, 5), load_params(PARAMS).energy, params.goal.type
    )
    reference = float_reference(trainer, WEIGHTS, costs)
    runner = TrialRunner(params, trainer, costs, reference, WEIGHTS, 16.0, directory)
    return QuantizationTuner(runner, build_search_space(params, network_layers("SimpleRNN")))


def search(params: SearchParams, trainer: MadeUpTrainer | None = None, directory=DIRECTORY):
    tuner = make_tuner(params, trainer or MadeUpTrainer(), directory)
    tuner.search()
    return tuner
