"""A keras-tuner whose trials are networks that we train: what every search here shares.

AutoQKeras drives ``keras_tuner.Tuner``, which rebuilds and compiles a Keras
model for each trial, swallows exceptions and hands back a "best" model with
new weights. Here the oracles are those of keras-tuner, and a trial is ours: it
trains in one compiled loop, keeps its weights, and an exception is a failed
trial that is counted.
"""

from __future__ import annotations

import json
import math
import sys
import time
import traceback
from pathlib import Path
from typing import Any, ClassVar

import keras_tuner
from keras_tuner.src.engine.trial import TrialStatus

from pipeline.artifacts.search import Trial
from pipeline.base.arrays import F32
from pipeline.base.files import write_text
from pipeline.quantization.search.trials.halving import COST, DEAD, RMSE
from pipeline.quantization.search.trials.oracle_files import drop_partial_trials
from pipeline.quantization.search.trials.oracles import trials_of
from pipeline.quantization.search.trials.runner import SearchError, TrialRunner

_ASK_AGAIN_S = 0.2
_PHASE = "@"
RECYCLED = 75
"""Exit code of a worker that asks to be started anew; EX_TEMPFAIL of sysexits.h."""


def worker_id(name: str, phase: int) -> str:
    """Return what a worker calls itself when it asks for a trial of some phase."""
    return f"{name}{_PHASE}{phase}"


def name_and_phase(tuner_id: str) -> tuple[str, int]:
    """Return a worker's name and the phase whose trials it asks for."""
    name, _, phase = tuner_id.rpartition(_PHASE)
    return name, int(phase)


class NetworkTuner(keras_tuner.engine.base_tuner.BaseTuner):  # type: ignore[misc]
    """A keras-tuner whose trials are networks that a `TrialRunner` trains.

    Parameters
    ----------
    runner
        Trains and remembers trials; its directory holds the state.
    oracle
        Says which networks.
    phase
        Where one search follows on another: its number, by which chief and workers know that
        they speak of the same one.

    Attributes
    ----------
    trials_left
        How many trials this process still begins, of all its tuners, before it ends with
        `RECYCLED`, if it is a worker. XLA keeps the code of every trial, about 70 MB.
    """

    trials_left: ClassVar[float] = math.inf

    def __init__(self, runner: TrialRunner, oracle: Any, phase: int = 0) -> None:
        self.runner, self.params, self.phase = runner, runner.params, phase
        directory = runner.directory
        if not self._is_worker():  # whose chief may be between the two files
            drop_partial_trials(directory)
        super().__init__(oracle, directory=str(directory.parent), project_name=directory.name)
        if self._is_worker():
            self.tuner_id: str = worker_id(str(self.tuner_id), phase)
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

    def train(self, trial: Any) -> Trial:
        """Train, score and record one trial."""
        raise NotImplementedError

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        """Return the oracle's figures of a trial; why one failed stays beside the records."""
        reason = self._failure_file(trial)
        try:
            record = self.train(trial)
        except Exception:  # not an interrupt, which is no failure
            write_text(reason, traceback.format_exc())
            raise
        reason.unlink(missing_ok=True)
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

    def records(self) -> list[Trial]:
        """Return the completed trials in the order of their numbers."""
        return [
            self.runner.record(self.name_of(trial))
            for _, trial in sorted(self.oracle.trials.items())
            if trial.status == TrialStatus.COMPLETED
        ]

    def failures(self) -> dict[str, str]:
        """Return the last line of what went wrong, by trial, for trials that failed."""
        return {
            self.name_of(trial): self._reason(trial)
            for _, trial in sorted(self.oracle.trials.items())
            if _has_failed(trial)
        }

    def _reason(self, trial: Any) -> str:
        """Return the last line of why a trial failed, of what is known."""
        file = self._failure_file(trial)
        text = file.read_text(encoding="utf-8") if file.exists() else trial.message
        return (text or "no message").strip().splitlines()[-1]

    def _failure_file(self, trial: Any) -> Path:
        """Return the file beside the records through which a worker gives its chief a reason."""
        return self.state / f"failure_{self.name_of(trial)}.txt"

    def verify(self, record: Trial) -> None:
        """Score a trial again from its stored weights; see `TrialRunner.verify`."""
        self.runner.verify(record)

    def weights(self, trial: str) -> dict[str, F32]:
        """Return a trial's best weights."""
        return self.runner.weights(trial)


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


def _has_failed(trial: Any) -> bool:
    return trial.status in (TrialStatus.FAILED, TrialStatus.INVALID)
