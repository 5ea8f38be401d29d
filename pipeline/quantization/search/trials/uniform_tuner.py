"""Training the uniform networks of `pipeline.quantization.search.plan.uniform`."""

from __future__ import annotations

from typing import Any

from pipeline.artifacts.search import Trial, uniform_name
from pipeline.quantization.search.plan.uniform import uniform_quantizers
from pipeline.quantization.search.trials.network_tuner import NetworkTuner
from pipeline.quantization.search.trials.oracles import make_list_oracle
from pipeline.quantization.search.trials.runner import TrialRunner
from pipeline.quantization.training.rescaling import KERNEL
from pipeline.quantization.training.result import Starts
from pipeline.quantization.training.settings import QatSettings

_BITS = "bits"


class UniformTuner(NetworkTuner):
    """Trains the points of ``search.uniform_bits`` as trials are trained.

    Parameters
    ----------
    runner
        Trains and remembers them; its directory holds the state.
    phase
        See `NetworkTuner`.
    """

    def __init__(self, runner: TrialRunner, phase: int = 0) -> None:
        oracle = make_list_oracle(runner.params, _BITS, runner.params.uniform_bits)
        super().__init__(runner, oracle, phase)

    asked_by = "search.uniform_bits"

    def name_of(self, trial: Any) -> str:
        """Return what a point is recorded under."""
        return uniform_name(trial.hyperparameters.values[_BITS])

    def train(self, trial: Any) -> Trial:
        """Train, score and record one point."""
        params, runner = self.params, self.runner
        architecture = runner.costs.architecture
        quantizers = uniform_quantizers(params, architecture, trial.hyperparameters.values[_BITS])
        settings = QatSettings(
            epochs=params.epochs,
            batch_size=params.batch_size,
            learning_rate=params.learning_rate,
            seed=params.seed,
            units=architecture.units,
            patience=params.early_stopping_patience,
            starts=params.seeds,
        )
        starts: Starts = None
        if params.transfer_weights:
            own = runner.starts(architecture.units)
            starts = runner.trainer.rescaled(own, quantizers.get(KERNEL))
        name = self.name_of(trial)
        return runner.run(name, quantizers, settings, starts, name)
