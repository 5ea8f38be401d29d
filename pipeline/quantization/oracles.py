"""keras-tuner's oracles over our choices, made to survive being killed.

keras-tuner writes its files in place and in an order that a kill can come
between. Here each file is replaced atomically, and what a kill left half-told
is put right by `drop_half_told_trials` before an oracle reads it.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.src.engine.trial import TrialStatus

from pipeline.artifacts import write_text
from pipeline.params.network import SearchParams
from pipeline.quantization.pareto import nondominated_order
from pipeline.quantization.search_space import LEARNING_RATE, LEARNING_RATE_CHOICES, Choice

# keras-tuner's 20 draws in a row miss the last combinations of a small space.
_MAX_COLLISIONS = 1000
_TRIALS_BEFORE_A_MODEL = 3  # for each decision, as in keras-tuner

# Values that keras-tuner's Hyperband adds to a trial that goes on with an earlier one, and what
# else it is told of a trial.
EARLIER, EPOCHS, _TUNER = "tuner/trial_id", "tuner/epochs", "tuner/"
COST, RMSE, DEAD = "cost", "validation_rmse_mev", "dead"


def hyperparameters(
    choices: Sequence[Choice], params: SearchParams, filters: Sequence[str] = ()
) -> Any:
    """Return the decisions of a search as keras-tuner hyperparameters.

    Parameters
    ----------
    choices
        The quantisers.
    params
        The ``search`` section.
    filters
        Names of the decisions on widths, see `filter_names`.
    """
    space = keras_tuner.HyperParameters()
    for choice in choices:
        space.Choice(choice.name, list(choice.quantizers))
    for name in filters:
        space.Choice(name, params.filter_range, default=params.filter_range[0])
    if params.learning_rate_optimizer:
        space.Choice(LEARNING_RATE, list(range(LEARNING_RATE_CHOICES)))
    return space


def make_oracle(params: SearchParams, space: Any) -> Any:
    """Return keras-tuner's oracle for ``search.mode``."""
    common = _common(params, space)
    if params.mode == "hyperband":
        oracle: Any = _HyperbandOracle(max_epochs=params.epochs, **common)
    elif params.mode == "halving":
        oracle = _HalvingOracle(params, **common)
    else:
        oracles = {"random": _RandomOracle, "bayesian": _BayesianOracle}
        oracle = oracles[params.mode](max_trials=params.max_trials, **common)
    if params.mode == "bayesian":
        # keras-tuner counts decisions without a choice too: twenty trials would all be random.
        open_decisions = sum(len(decision.values) > 1 for decision in space.space)
        oracle.num_initial_points = _TRIALS_BEFORE_A_MODEL * max(open_decisions, 1)
    oracle._max_collisions = _MAX_COLLISIONS
    return _quiet(oracle)


def make_list_oracle(params: SearchParams, name: str, values: Sequence[int]) -> Any:
    """Return an oracle that asks for each value of one decision, in order."""
    space = keras_tuner.HyperParameters()
    space.Choice(name, list(values))
    return _quiet(_ListOracle(max_trials=len(values), **_common(params, space)))


def _quiet(oracle: Any) -> Any:
    """Stop an oracle's own prints: the stage shows its progress itself."""
    oracle.verbose = 0
    return oracle


def _common(params: SearchParams, space: Any) -> dict[str, Any]:
    return {
        "objective": keras_tuner.Objective("score", "max"),
        "hyperparameters": space,
        "seed": params.seed,
        "allow_new_entries": False,
        "tune_new_entries": False,
        # Failures in a row end a search in a RuntimeError; `check_complete` counts them instead.
        "max_consecutive_failed_trials": sys.maxsize,
    }


class _Durable:
    """Replaces files in one step instead of writing into them."""

    def save(self, fname: str | None = None) -> None:
        oracle: Any = self
        path = Path(fname or oracle._get_oracle_fname())
        write_text(path, json.dumps(oracle.get_state()))

    def _save_trial(self, trial: Any) -> None:
        oracle: Any = self
        path = Path(oracle._get_trial_dir(trial.trial_id)) / "trial.json"
        write_text(path, json.dumps(trial.get_state()))


class _RandomOracle(_Durable, keras_tuner.oracles.RandomSearchOracle):  # type: ignore[misc]
    """keras-tuner's."""


class _ListOracle(_RandomOracle):
    """Every value of its one decision, in order."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        (decision,) = self.get_space().space
        return {
            "status": TrialStatus.RUNNING,
            "values": {decision.name: decision.values[int(trial_id)]},
        }


class _HyperbandOracle(_Durable, keras_tuner.oracles.HyperbandOracle):  # type: ignore[misc]
    """keras-tuner's."""


class _BayesianOracle(_Durable, keras_tuner.oracles.BayesianOptimizationOracle):  # type: ignore[misc]
    """keras-tuner's, resumable: its next trial follows from the trials alone.

    keras-tuner does not save its random generator, and reads trials back in the
    order of the directory. Where its choice, rounded to what there is, has been
    tried before, it would train the same network again; here a random one is next.
    """

    trials: dict[str, Any]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self.trials = dict(sorted(self.trials.items()))
        self._random_state = np.random.RandomState(self.seed + int(trial_id))
        oracle: Any = super()
        response: dict[str, Any] = oracle.populate_space(trial_id)
        if self._duplicate(response.get("values") or {}):
            response = oracle._random_populate_space()
        return response


class _HalvingOracle(_RandomOracle):
    """Random trials, of which some are chosen to train on: successive halving with one cut.

    Chosen are the trials that few others beat in cost and RMSE at once (the ranking of
    NSGA-II: Deb et al., IEEE Trans. Evol. Comput. 6 (2002) 182; for successive halving:
    Schmucker et al., arXiv:2106.12639). A score would not do: after few epochs cheap networks
    are far behind what they become, and whoever is dear would be chosen.
    """

    def __init__(self, params: SearchParams, **common: Any) -> None:
        self.first, self.first_epochs = params.max_trials, params.first_epochs
        self.survivors, self.epochs = min(params.survivors, self.first), params.epochs
        super().__init__(max_trials=self.first + self.survivors, **common)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return a random trial, then the survivors, one after the other."""
        number = int(trial_id)
        if number < self.first:
            response: dict[str, Any] = super().populate_space(trial_id)
            if response["values"] is not None:
                response["values"][EPOCHS] = self.first_epochs
            return response
        if any(trial in self.ongoing_trials.values() for trial in self._first()):
            return {"status": "IDLE"}
        alive = self._alive()
        if alive is None or number - self.first >= len(alive):
            return {"status": "STOPPED"}
        ranks = nondominated_order(
            [_told(trial, COST) for trial in alive], [_told(trial, RMSE) for trial in alive]
        )
        chosen = alive[ranks[number - self.first]]
        values = dict(chosen.hyperparameters.values)
        return {
            "status": "RUNNING",
            "values": values | {EARLIER: chosen.trial_id, EPOCHS: self.epochs},
        }

    def asked(self) -> int:
        """Return how many trials there must be: fewer than planned where too few are alive."""
        alive = self._alive()
        return self.first + (self.survivors if alive is None else min(self.survivors, len(alive)))

    def _first(self) -> list[Any]:
        trials: dict[str, Any] = self.trials
        return [trials[name] for name in sorted(trials)[: self.first]]

    def _alive(self) -> list[Any] | None:
        """Return who can be chosen; None until all first trials are complete."""
        first = self._first()
        if len(first) < self.first or any(trial.status != "COMPLETED" for trial in first):
            return None
        return [trial for trial in first if not _told(trial, DEAD)]

    def _compute_values_hash(self, values: dict[str, Any]) -> Any:
        own = {name: value for name, value in values.items() if not name.startswith(_TUNER)}
        return super()._compute_values_hash(own)


def _told(trial: Any, metric: str) -> float:
    return float(trial.metrics.get_best_value(metric))


def trials_of(oracle: Any) -> int:
    """Return the trials that an oracle asks for; of Hyperband, all rounds of all brackets."""
    if isinstance(oracle, _HalvingOracle):
        return oracle.asked()
    if not isinstance(oracle, _HyperbandOracle):
        return int(oracle.max_trials)
    return sum(
        oracle._get_size(bracket, number)
        for bracket in range(oracle._get_num_brackets())
        for number in range(oracle._get_num_rounds(bracket))
    )


def drop_half_told_trials(directory: Path) -> None:
    """Forget trials whose own file was written but not the oracle's.

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
