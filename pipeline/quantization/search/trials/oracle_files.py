"""keras-tuner's files of a search, written so that a kill does no harm.

keras-tuner writes its files in place and in an order that a kill can come
between. Here each file is replaced atomically, and trials that a kill
left partially written are dropped by `drop_partial_trials` before an oracle reads them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras_tuner

from pipeline.base.files import write_text


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


class RandomOracle(Durable, keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
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
