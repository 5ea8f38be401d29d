"""keras-tuner's files of a search, written so that a kill does no harm.

keras-tuner writes its files in place and in an order that a kill can come
between. Here each file is replaced atomically, and trials that a kill
left partially written are dropped by `drop_partial_trials` before an oracle reads them.
"""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras_tuner

from pipeline.base.files import write_text

# What stands beside keras-tuner's files for each trial.
_OF_A_TRIAL = {
    "record": ".json",
    "weights": ".h5",
    "checkpoint": ".h5",
    "failure": ".txt",
    "time": ".json",
}


class Durable:
    """Makes an oracle replace files in one step instead of writing into them."""

    def save(self, fname: str | None = None) -> None:
        """Write the oracle's state."""
        oracle: Any = self
        path = Path(fname or oracle._get_oracle_fname())
        write_text(path, json.dumps(oracle.get_state()))

    def _save_trial(self, trial: Any) -> None:
        oracle: Any = self
        path = Path(oracle._get_trial_dir(trial.trial_id)) / "trial.json"
        write_text(path, json.dumps(trial.get_state()))


class Thorough:
    """Makes an oracle find the last combinations of a space, which chance may miss."""

    def _random_values(self) -> dict[str, Any] | None:
        """Return values that were not tried yet, at random if possible; None if all were."""
        oracle: Any = super()
        values: dict[str, Any] | None = oracle._random_values()
        return values if values is not None else next(self._untried(), None)

    def _untried(self) -> Iterator[dict[str, Any]]:
        oracle: Any = self
        decisions = oracle.get_space().space
        for chosen in itertools.product(*(decision.values for decision in decisions)):
            values = {d.name: value for d, value in zip(decisions, chosen, strict=True)}
            if not oracle._duplicate(values):
                yield values


class RandomOracle(Durable, Thorough, keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
    """keras-tuner's."""


def drop_partial_trials(directory: Path) -> None:
    """Forget trials whose file was written, but not yet the oracle's.

    A kill between the two leaves a trial that keras-tuner would neither run nor
    replace; without its file, the oracle asks for the same trial again.
    """
    known: set[str] = set()
    oracle = directory / "oracle.json"
    if oracle.exists():
        known = set(json.loads(oracle.read_text(encoding="utf-8"))["start_order"])
    for trial in directory.glob("trial_*"):
        if trial.name.removeprefix("trial_") not in known:
            shutil.rmtree(trial)


def renumber(directory: Path, max_trials: int) -> None:
    """Give the trials of a state the names that they have in a search of `max_trials`.

    keras-tuner writes a trial's number with as many digits as the number of all trials has, so
    a search that is extended from 9 trials to 10 would not find its own.
    """
    oracle = directory / "oracle.json"
    if not oracle.exists():
        return
    digits = len(str(max_trials))
    state = json.loads(oracle.read_text(encoding="utf-8"))
    names = {old: f"{int(old):0{digits}d}" for old in state["start_order"]}
    if all(old == new for old, new in names.items()):
        return
    renamed, before = (directory.with_name(f"{directory.name}.{word}") for word in ("new", "old"))
    for folder in (renamed, before):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(directory, renamed)
    for old, new in names.items():
        _rename(renamed, old, new)
    for key in ("start_order", "end_order", "retry_queue"):
        state[key] = [names[old] for old in state[key]]
    for key in ("run_times", "id_to_hash"):
        state[key] = {names[old]: value for old, value in state[key].items()}
    state["ongoing_trials"] = {who: names[old] for who, old in state["ongoing_trials"].items()}
    write_text(renamed / "oracle.json", json.dumps(state))
    directory.rename(before)
    renamed.rename(directory)
    shutil.rmtree(before)


def _rename(directory: Path, old: str, new: str) -> None:
    """Rename all files of one trial, and the trial inside of them."""
    (directory / f"trial_{old}").rename(directory / f"trial_{new}")
    for kind, suffix in _OF_A_TRIAL.items():
        file = directory / f"{kind}_{old}{suffix}"
        if file.exists():
            file.rename(file.with_name(f"{kind}_{new}{suffix}"))
    named = {f"trial_{new}/trial.json": "trial_id", f"record_{new}.json": "trial"}
    for path, key in named.items():
        file = directory / path
        if file.exists():
            content = json.loads(file.read_text(encoding="utf-8"))
            write_text(file, json.dumps(content | {key: new}))
