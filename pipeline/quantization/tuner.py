"""The search: keras-tuner's oracles over quantiser choices, our trials in between.

AutoQKeras drives ``keras_tuner.Tuner``, which rebuilds and compiles a Keras
model for each trial, swallows exceptions and hands back a "best" model with
fresh weights. Here the oracles (random, Bayesian, Hyperband) are keras-tuner's
own, and a trial is ours: it trains in one compiled loop, keeps its weights, and
an exception is a failed trial that is counted.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.src.engine.trial import TrialStatus

from pipeline.artifacts import F32, load_weights, read_json, save_weights, write_json
from pipeline.errors import PipelineError
from pipeline.params import SearchParams
from pipeline.quantization.cost import CostModel
from pipeline.quantization.quantizers import INPUT, Quantizer, parse_quantizer
from pipeline.quantization.score import forgiving_delta, quality, score
from pipeline.quantization.search_space import Choice
from pipeline.quantization.trial import QatSettings, QatTrainer, TrialRecord
from pipeline.rnn.fitting import rmse_mev

_PJ_PER_NJ = 1000.0


class SearchError(PipelineError):
    """The search did not complete what was asked."""


@dataclass(frozen=True)
class Reference:
    """What trials are compared with: the float network.

    ``loss`` is its validation loss in scaled units, ``cost`` the reference
    energy in pJ or size in bits.
    """

    loss: float
    cost: float


class QuantizationTuner(keras_tuner.engine.base_tuner.BaseTuner):  # type: ignore[misc]
    """A keras-tuner whose trials are quantized networks; see `run_trial`."""

    def __init__(
        self,
        params: SearchParams,
        choices: Sequence[Choice],
        trainer: QatTrainer,
        float_weights: Mapping[str, F32],
        costs: CostModel,
        reference: Reference,
        et_scale_gev: float,
        directory: Path,
    ) -> None:
        self.params = params
        self.choices = choices
        self.trainer = trainer
        self.float_weights = float_weights
        self.costs = costs
        self.reference = reference
        self.et_scale_gev = et_scale_gev
        oracle = make_oracle(params, search_space(choices))
        oracle.verbose = 0
        super().__init__(oracle, directory=str(directory.parent), project_name=directory.name)
        # What failed when the search last ran (a full disk, say) gets another chance.
        waiting = oracle._retry_queue
        waiting.extend(trial for trial in self.failures() if trial not in waiting)

    @property
    def trials_asked(self) -> int:
        """Trials that must complete; Hyperband's brackets follow from the epochs alone."""
        if self.params.mode == "hyperband":
            return _hyperband_trials(self.oracle)
        return self.params.max_trials

    @property
    def state(self) -> Path:
        """Directory of this search's state: oracle, trials, weights."""
        return Path(self.project_dir)

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        """Train, score and record the network that the trial's choices describe."""
        values = trial.hyperparameters.values
        quantizers = self.quantizers_of(values)
        settings = QatSettings(
            epochs=int(values.get("tuner/epochs", self.params.epochs)),
            batch_size=self.params.batch_size,
            learning_rate=self.params.learning_rate,
            # From the trial's number: the same whether or not the search was interrupted.
            seed=self.params.seed + int(trial.trial_id),
        )
        result = self.trainer.fit(
            quantizers, self._initial_weights(values), settings, f"trial {trial.trial_id}"
        )
        cost, energy, bits = self.costs.trial(quantizers)
        goal = self.params.goal
        delta = forgiving_delta(
            self.reference.cost,
            cost,
            delta_p=goal.delta_p,
            delta_n=goal.delta_n,
            rate=goal.rate,
            stress=goal.stress,
        )
        reference_mev = rmse_mev(self.reference.loss, self.et_scale_gev)
        trial_mev = rmse_mev(result.validation_loss, self.et_scale_gev)
        record = TrialRecord(
            trial=trial.trial_id,
            quantizers={tensor: quantizer.text for tensor, quantizer in quantizers.items()},
            seed=settings.seed,
            epochs=result.fit.epochs,
            score=score(reference_mev, trial_mev, delta),
            quality=quality(reference_mev, trial_mev),
            delta=delta,
            cost=cost,
            energy_nj=energy / _PJ_PER_NJ,
            weight_bits=bits,
            validation_rmse_mev=trial_mev,
        )
        save_weights(self._weights_file(trial.trial_id), result.weights)
        write_json(self.state / f"record_{trial.trial_id}.json", record.to_json())
        return {"score": record.score}

    def quantizers_of(self, values: Mapping[str, Any]) -> dict[str, Quantizer]:
        """Return the quantiser of every tensor for one set of choices."""
        quantizers = {INPUT: parse_quantizer(self.params.input_quantizer, "search.input_quantizer")}
        for choice in self.choices:
            chosen = choice.quantizers[values[choice.name]]
            quantizers.update(dict.fromkeys(choice.tensors, chosen))
        return quantizers

    def records(self) -> list[TrialRecord]:
        """Return the completed trials in the order of their numbers."""
        completed = [
            identity
            for identity, trial in sorted(self.oracle.trials.items())
            if trial.status == TrialStatus.COMPLETED
        ]
        return [
            TrialRecord(**read_json(self.state / f"record_{identity}.json"))
            for identity in completed
        ]

    def failures(self) -> dict[str, str]:
        """Return the last line of what went wrong, by trial, for trials that failed."""
        return {
            identity: (trial.message or "no message").strip().splitlines()[-1]
            for identity, trial in sorted(self.oracle.trials.items())
            if trial.status in (TrialStatus.FAILED, TrialStatus.INVALID)
        }

    def verify(self, record: TrialRecord) -> None:
        """Score a trial again from its stored weights.

        Raises
        ------
        SearchError
            If the RMSE is not the one that the trial reported.
        """
        quantizers = {t: parse_quantizer(text, t) for t, text in record.quantizers.items()}
        loss = self.trainer.validation_loss(quantizers, self.weights(record.trial))
        again = rmse_mev(loss, self.et_scale_gev)
        if abs(again - record.validation_rmse_mev) > 1e-6 * record.validation_rmse_mev:
            raise SearchError(
                f"trial {record.trial}: scored {record.validation_rmse_mev} MeV, "
                f"but its stored weights give {again} MeV"
            )

    def weights(self, trial: str) -> dict[str, F32]:
        """Return a trial's best weights."""
        shapes = {name: weight.shape for name, weight in self.float_weights.items()}
        return load_weights(self._weights_file(trial), shapes)

    def _initial_weights(self, values: Mapping[str, Any]) -> Mapping[str, F32] | None:
        if "tuner/trial_id" in values:  # Hyperband goes on with an earlier, shorter trial
            return self.weights(values["tuner/trial_id"])
        return self.float_weights if self.params.transfer_weights else None

    def _weights_file(self, trial: str) -> Path:
        return self.state / f"weights_{trial}.h5"


def float_reference(trainer: QatTrainer, weights: Mapping[str, F32], costs: CostModel) -> Reference:
    """Return what trials are compared with: the float network's loss and the reference cost."""
    return Reference(loss=trainer.validation_loss({}, weights), cost=costs.reference())


def search_space(choices: Sequence[Choice]) -> Any:
    """Return the choices as keras-tuner hyperparameters."""
    space = keras_tuner.HyperParameters()
    for choice in choices:
        space.Choice(choice.name, list(choice.quantizers))
    return space


def make_oracle(params: SearchParams, space: Any) -> Any:
    """Return keras-tuner's oracle for ``search.mode``."""
    common: dict[str, Any] = {
        "objective": keras_tuner.Objective("score", "max"),
        "hyperparameters": space,
        "seed": params.seed,
        "allow_new_entries": False,
        "tune_new_entries": False,
        # Failures in a row end a search in a RuntimeError; `check_complete` counts them instead.
        "max_consecutive_failed_trials": sys.maxsize,
    }
    if params.mode == "hyperband":
        return keras_tuner.oracles.HyperbandOracle(max_epochs=params.epochs, **common)
    oracles = {
        "random": keras_tuner.oracles.RandomSearchOracle,
        "bayesian": _BayesianOracle,
    }
    return oracles[params.mode](max_trials=params.max_trials, **common)


class _BayesianOracle(keras_tuner.oracles.BayesianOptimizationOracle):  # type: ignore[misc]
    """keras-tuner's, resumable: its next trial follows from the trials alone.

    keras-tuner does not save its random generator, and reads trials back in the
    order of the directory.
    """

    trials: dict[str, Any]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self.trials = dict(sorted(self.trials.items()))
        self._random_state = np.random.RandomState(self.seed + int(trial_id))
        response: dict[str, Any] = super().populate_space(trial_id)
        return response


def _hyperband_trials(oracle: Any) -> int:
    """Return the trials of all rounds of all brackets."""
    return sum(
        oracle._get_size(bracket, number)
        for bracket in range(oracle._get_num_brackets())
        for number in range(oracle._get_num_rounds(bracket))
    )


def best_of(records: Sequence[TrialRecord]) -> TrialRecord:
    """Return the trial with the highest score; the earlier one of equals."""
    return max(records, key=lambda record: (record.score, -int(record.trial)))


def check_complete(tuner: QuantizationTuner) -> None:
    """Check that every trial that was asked for completed.

    Raises
    ------
    SearchError
        With the trials that failed and why, or how many the space allowed.
        The search can be started again: only what is missing is trained.
    """
    failures = tuner.failures()
    for identity, message in failures.items():
        print(f"trial {identity} failed: {message}", file=sys.stderr)
    completed = len(tuner.records())
    asked = tuner.trials_asked
    if completed < asked:
        first = next(iter(failures.values()), "no combination was found that is not tried yet")
        key = "search.epochs" if tuner.params.mode == "hyperband" else "search.max_trials"
        raise SearchError(
            f"{key}: {asked} trials asked, {completed} completed, {len(failures)} failed ({first})"
        )
