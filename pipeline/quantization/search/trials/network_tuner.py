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
import time
import traceback
from pathlib import Path
from typing import Any, ClassVar

import keras_tuner
from keras_tuner.src.engine.trial import TrialStatus

from pipeline.artifacts.search import Trial
from pipeline.base.arrays import F32
from pipeline.base.errors import say
from pipeline.base.files import read_json, write_json, write_text
from pipeline.quantization.search.lines import trial_line
from pipeline.quantization.search.trials.halving import COST, DEAD, RMSE
from pipeline.quantization.search.trials.oracle_files import drop_partial_trials, renumber
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

    # Whether each trial is told of on stderr once it is over.
    announces = False
    trials_left: ClassVar[float] = math.inf

    def __init__(self, runner: TrialRunner, oracle: Any, phase: int = 0) -> None:
        self.runner, self.params, self.phase = runner, runner.params, phase
        directory = runner.directory
        self._told = 0
        if not self._is_worker():  # whose chief may be between the two files
            drop_partial_trials(directory)
            if oracle.max_trials is not None:
                renumber(directory, oracle.max_trials)
        super().__init__(oracle, directory=str(directory.parent), project_name=directory.name)
        if self._is_worker():
            self.tuner_id: str = worker_id(str(self.tuner_id), phase)
            return  # the chief's oracle knows what there is to do
        # What failed when the search last ran (a full disk, say) gets another chance.
        # So does what it had begun. What a longer search has begun beyond this one waits for it.
        waiting = oracle._retry_queue
        waiting[:] = [
            trial.trial_id
            for trial in reversed(self._trials())  # the oracle takes the last one first
            if trial.status != TrialStatus.COMPLETED
        ]
        oracle.ongoing_trials.clear()

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
        reason, begun = self._failure_file(trial), time.monotonic()
        try:
            record = self.train(trial)
        except Exception:  # not an interrupt, which is no failure
            write_text(reason, traceback.format_exc())
            raise
        reason.unlink(missing_ok=True)
        if not self._time_file(record.trial).exists():
            write_json(self._time_file(record.trial), {"seconds": time.monotonic() - begun})
        return {
            "score": record.score,
            COST: record.cost,
            RMSE: record.typical_rmse_mev,
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
            self.runner.trainer.show_progress = False  # its chief shows that of all
            self.runner.trainer.after_epoch = lambda: self.oracle.update_trial(trial.trial_id, {})

    def on_trial_end(self, trial: Any) -> None:
        """Say what the trial was; of a worker's, its chief does."""
        super().on_trial_end(trial)
        if self.announces and not self._is_worker():
            self.report()

    def report(self) -> int:
        """Say what the trials were that are over, in the order of their numbers.

        Returns
        -------
        int
            Trials that were told of so far. One that is over waits for those before it.
        """
        waiting = self.oracle._retry_queue
        for trial in self._trials()[self._told :]:
            over = trial.status == TrialStatus.COMPLETED or _has_failed(trial)
            if not over or trial.trial_id in waiting:
                break
            self._told += 1
            say(self._line(trial))
        return self._told

    def _line(self, trial: Any) -> str:
        name = self.name_of(trial)
        if _has_failed(trial):
            return f"trial {name} failed: {self._reason(trial)}"
        record, file = self.runner.record(name), self._time_file(name)
        seconds = read_json(file)["seconds"] if file.exists() else None
        return trial_line(record, self.runner.baseline, self.best_with(record), seconds)

    def best_with(self, record: Trial) -> Trial | None:
        """Return the best trial told of, this one included; None where none is chosen."""
        return None

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
            for trial in self._trials()
            if trial.status == TrialStatus.COMPLETED
        ]

    def failures(self) -> dict[str, str]:
        """Return the last line of what went wrong, by trial, for trials that failed."""
        return {
            self.name_of(trial): self._reason(trial)
            for trial in self._trials()
            if _has_failed(trial)
        }

    @property
    def exhausted(self) -> bool:
        """Whether every trial that the oracle found a combination for completed."""
        trials = self._trials()
        return bool(trials) and all(trial.status == TrialStatus.COMPLETED for trial in trials)

    def _trials(self) -> list[Any]:
        """Return the trials begun, by number; without those that only a longer search had."""
        trials = sorted(self.oracle.trials.values(), key=lambda trial: int(trial.trial_id))
        return trials[: self.oracle.max_trials]

    def _reason(self, trial: Any) -> str:
        """Return the last line of why a trial failed, of what is known."""
        file = self._failure_file(trial)
        text = file.read_text(encoding="utf-8") if file.exists() else trial.message
        return (text or "no message").strip().splitlines()[-1]

    def _failure_file(self, trial: Any) -> Path:
        """Return the file beside the records through which a worker gives its chief a reason."""
        return self.state / f"failure_{self.name_of(trial)}.txt"

    def _time_file(self, name: str) -> Path:
        return self.state / f"time_{name}.json"

    def verify(self, record: Trial) -> None:
        """Score a trial again from its stored weights; see `TrialRunner.verify`."""
        self.runner.verify(record)

    def weights(self, trial: str) -> dict[str, F32]:
        """Return a trial's best weights."""
        return self.runner.weights(trial)


def check_complete(tuner: NetworkTuner) -> None:
    """Check that every trial that was asked for completed, or all that there are.

    Raises
    ------
    SearchError
        With the trials that failed and why. The search can be started again: only what is
        missing is trained.
    """
    failures = tuner.failures()
    if not tuner.announces:
        say(*(f"trial {identity} failed: {message}" for identity, message in failures.items()))
    completed = len(tuner.records())
    asked = tuner.trials_asked
    if completed < asked and tuner.exhausted:
        say(f"{tuner.asked_by}: {asked} trials asked, but only {completed} combinations found")
    elif completed < asked:
        first = next(iter(failures.values()), "no combination was found that is not tried yet")
        raise SearchError(
            f"{tuner.asked_by}: {asked} trials asked, {completed} completed, "
            f"{len(failures)} failed ({first})"
        )


def _has_failed(trial: Any) -> bool:
    return trial.status in (TrialStatus.FAILED, TrialStatus.INVALID)
