"""The search: keras-tuner's oracles over quantiser choices, our trials in between.

AutoQKeras drives ``keras_tuner.Tuner``, which rebuilds and compiles a Keras
model for each trial, swallows exceptions and hands back a "best" model with
fresh weights. Here the oracles (random, Bayesian, Hyperband) are keras-tuner's
own, and a trial is ours: it trains in one compiled loop, keeps its weights, and
an exception is a failed trial that is counted.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import keras_tuner
import numpy as np
from keras_tuner.src.engine.trial import TrialStatus

from pipeline.artifacts import F32, write_text
from pipeline.quantization.failures import reason, reason_kept
from pipeline.quantization.oracles import (
    COST,
    DEAD,
    EARLIER,
    EPOCHS,
    RMSE,
    drop_half_told_trials,
    hyperparameters,
    make_oracle,
    trials_of,
)
from pipeline.quantization.quantizers import Quantizer
from pipeline.quantization.runner import SearchError, TrialRunner
from pipeline.quantization.search_space import LEARNING_RATE, LEARNING_RATE_CHOICES, Choice
from pipeline.quantization.trial import QatSettings, TrialRecord
from pipeline.quantization.widths import chosen_units

# AutoQKeras' range of learning rates ends here, as a multiple of the rate given.
_HIGHEST_RATE = 1.1
_ASK_AGAIN_S = 0.2
_STAGE = "@"
RECYCLED = 75
"""Exit code of a worker that asks to be started anew; EX_TEMPFAIL of sysexits.h."""


def worker_id(name: str, stage: int) -> str:
    """Return what a worker calls itself when it asks for a trial of some stage."""
    return f"{name}{_STAGE}{stage}"


def name_and_stage(tuner_id: str) -> tuple[str, int]:
    """Return a worker's own name and the stage whose trials it asks for."""
    name, _, stage = tuner_id.rpartition(_STAGE)
    return name, int(stage)


class NetworkTuner(keras_tuner.engine.base_tuner.BaseTuner):  # type: ignore[misc]
    """A keras-tuner whose trials are networks that a `TrialRunner` trains.

    Parameters
    ----------
    runner
        Trains and remembers trials; its directory holds the state.
    oracle
        Says which networks.
    stage
        Where one search follows on another: its number, by which chief and workers know that
        they speak of the same one.

    Attributes
    ----------
    trials_left
        How many trials this process still begins, of all its tuners, before it ends with
        `RECYCLED`, if it is a worker. XLA keeps the code of every trial, about 70 MB.
    """

    trials_left: ClassVar[float] = math.inf

    def __init__(self, runner: TrialRunner, oracle: Any, stage: int = 0) -> None:
        self.runner, self.params, self.stage = runner, runner.params, stage
        directory = runner.directory
        if not self._is_worker():  # whose chief may be between the two files
            drop_half_told_trials(directory)
        super().__init__(oracle, directory=str(directory.parent), project_name=directory.name)
        if self._is_worker():
            self.tuner_id: str = worker_id(str(self.tuner_id), stage)
            return  # the chief's oracle knows what there is to do
        # What failed when the search last ran (a full disk, say) gets another chance.
        waiting = oracle._retry_queue
        failed = [i for i, trial in sorted(oracle.trials.items()) if _has_failed(trial)]
        waiting.extend(trial for trial in failed if trial not in waiting)
        waiting.sort(reverse=True)  # the oracle takes the last one first

    @property
    def asked_by(self) -> str:
        """The parameter that says how many trials there are."""
        raise NotImplementedError

    def name_of(self, trial: Any) -> str:
        """Return what a trial is recorded under."""
        raise NotImplementedError

    def train(self, trial: Any) -> TrialRecord:
        """Train, score and record one trial."""
        raise NotImplementedError

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        """Return what the oracle is told of a trial; why one failed stays beside the records."""
        with reason_kept(self.state, self.name_of(trial)):
            record = self.train(trial)
        return {
            "score": record.score,
            COST: record.cost,
            RMSE: record.validation_rmse_mev,
            DEAD: float(record.dead),
        }

    def save(self) -> None:
        """Write the state: the oracle's, and keras-tuner's mark that there is one."""
        if not self._is_worker():
            self.oracle.save()
        write_text(Path(self._get_tuner_fname()), json.dumps(self.get_state()))

    def pre_create_trial(self) -> None:
        """Let a worker that waits for others not ask without pause, and end one that is full."""
        if self._is_worker():
            if NetworkTuner.trials_left <= 0:
                raise SystemExit(RECYCLED)
            time.sleep(_ASK_AGAIN_S)

    def on_trial_begin(self, trial: Any) -> None:
        """Let a worker tell its chief, after each epoch, that it is alive."""
        if self._is_worker():
            NetworkTuner.trials_left -= 1
            self.runner.trainer.after_epoch = lambda: self.oracle.update_trial(trial.trial_id, {})

    def _get_tuner_fname(self) -> str:
        """Return one name for one process and for a chief, so that either can go on."""
        name = f"worker_{self.tuner_id}" if self._is_worker() else "tuner0"
        return str(self.state / f"{name}.json")

    @property
    def trials_asked(self) -> int:
        """Trials that must complete; Hyperband's brackets follow from the epochs alone."""
        return trials_of(self.oracle)

    @property
    def state(self) -> Path:
        """Directory of this search's state: oracle, trials, weights."""
        return Path(self.project_dir)

    def records(self) -> list[TrialRecord]:
        """Return the completed trials in the order of their numbers."""
        return [
            self.runner.record(self.name_of(trial))
            for _, trial in sorted(self.oracle.trials.items())
            if trial.status == TrialStatus.COMPLETED
        ]

    def failures(self) -> dict[str, str]:
        """Return the last line of what went wrong, by trial, for trials that failed."""
        return {
            self.name_of(trial): reason(self.state, self.name_of(trial), trial.message)
            for _, trial in sorted(self.oracle.trials.items())
            if _has_failed(trial)
        }

    def verify(self, record: TrialRecord) -> None:
        """Score a trial again from its stored weights; see `TrialRunner.verify`."""
        self.runner.verify(record)

    def weights(self, trial: str) -> dict[str, F32]:
        """Return a trial's best weights."""
        return self.runner.weights(trial)


class QuantizationTuner(NetworkTuner):
    """Tries quantisers and widths; see `train`.

    Parameters
    ----------
    runner
        Trains and remembers trials; its directory holds the state.
    choices
        What is searched.
    filters
        Decisions on widths, see `pipeline.quantization.widths`.
    fixed
        Quantisers that are decided already, by tensor.
    units
        Width that is decided already; None is that of the float network.
    prefix
        Goes before keras-tuner's number in the name of a trial.
    stage
        See `NetworkTuner`.
    """

    def __init__(
        self,
        runner: TrialRunner,
        choices: Sequence[Choice],
        filters: Sequence[str] = (),
        fixed: Mapping[str, Quantizer] | None = None,
        units: int | None = None,
        prefix: str = "",
        stage: int = 0,
    ) -> None:
        space = hyperparameters(choices, runner.params, filters)
        super().__init__(runner, make_oracle(runner.params, space), stage)
        self.choices = choices
        self.fixed = dict(fixed or {})
        self.units = units or runner.costs.units
        self.prefix = prefix

    @property
    def asked_by(self) -> str:
        """The parameter that says how many trials there are."""
        return "search.epochs" if self.params.mode == "hyperband" else "search.max_trials"

    def name_of(self, trial: Any) -> str:
        """Return what a trial is recorded under."""
        return f"{self.prefix}{trial.trial_id}"

    def train(self, trial: Any) -> TrialRecord:
        """Train, score and record the network that the trial's choices describe."""
        values = trial.hyperparameters.values
        quantizers = self.quantizers_of(values)
        units = chosen_units(values, self.units)
        name, before = self.name_of(trial), values.get(EARLIER)
        continues = None if before is None else f"{self.prefix}{before}"
        settings = QatSettings(
            epochs=self.params.epochs,
            batch_size=self.params.batch_size,
            learning_rate=self.learning_rate_of(values, quantizers, units),
            seed=self._seed_of(trial.trial_id, continues),
            units=units,
            first_epoch=0 if continues is None else self.runner.record(continues).epochs,
            last_epoch=values.get(EPOCHS),
        )
        start = self._initial_weights(units) if continues is None else None
        return self.runner.run(name, quantizers, settings, start, f"trial {name}", continues)

    def quantizers_of(self, values: Mapping[str, Any]) -> dict[str, Quantizer]:
        """Return the quantiser of every tensor for one set of choices."""
        quantizers = self.runner.input_quantizer | self.fixed
        for choice in self.choices:
            chosen = choice.quantizers[values[choice.name]]
            quantizers.update(dict.fromkeys(choice.tensors, chosen))
        return quantizers

    def learning_rate_of(
        self, values: Mapping[str, Any], quantizers: Mapping[str, Quantizer], units: int
    ) -> float:
        """Return the rate of a trial.

        With ``learning_rate_optimizer`` it is one of five, evenly spaced, as in
        AutoQKeras: from the rate times trial cost / reference cost (or 1, if that
        is less) up to 1.1 times the rate.
        """
        rate = self.params.learning_rate
        if LEARNING_RATE not in values:
            return rate
        cost = self.runner.costs.trial(quantizers, units).cost
        lowest = min(1.0, cost / self.runner.reference.cost)
        factors = np.linspace(lowest, _HIGHEST_RATE, LEARNING_RATE_CHOICES)
        return float(rate * factors[int(values[LEARNING_RATE])])

    def _seed_of(self, trial_id: str, continues: str | None) -> int:
        """Return a trial's seed: from its number, so that no interruption changes it."""
        if continues is not None:
            return self.runner.record(continues).seed
        return self.params.seed + int(trial_id)

    def _initial_weights(self, units: int) -> Mapping[str, F32] | None:
        if not self.params.transfer_weights:
            return None
        return self.runner.start(units, f"_{self.tuner_id}" if self._is_worker() else "")


def _has_failed(trial: Any) -> bool:
    return trial.status in (TrialStatus.FAILED, TrialStatus.INVALID)


def best_of(records: Sequence[TrialRecord]) -> TrialRecord:
    """Return the trial with the highest score; the earlier one of equals."""
    return max(records, key=lambda record: (record.score, [-ord(c) for c in record.trial]))


def check_complete(tuner: NetworkTuner) -> None:
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
        raise SearchError(
            f"{tuner.asked_by}: {asked} trials asked, {completed} completed, "
            f"{len(failures)} failed ({first})"
        )
