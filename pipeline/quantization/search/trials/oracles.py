"""keras-tuner's oracles over our choices: what each mode of the search asks for."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.src.engine.trial import TrialStatus

from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.blocks import hyperband_rounds
from pipeline.quantization.search.plan.space import LEARNING_RATE, LEARNING_RATE_CHOICES, Choice
from pipeline.quantization.search.trials.descent import Values
from pipeline.quantization.search.trials.halving import HalvingOracle
from pipeline.quantization.search.trials.oracle_files import (
    Durable,
    RandomOracle,
    Thorough,
)

# keras-tuner's 20 draws in a row miss the last combinations of a small space.
_MAX_COLLISIONS = 1000
_TRIALS_BEFORE_A_MODEL = 3  # for each decision, as in keras-tuner


def hyperparameters(
    choices: Sequence[Choice], params: SearchParams, filters: Sequence[str] = ()
) -> Any:
    """Return the decisions of a search as keras-tuner hyperparameters.

    Parameters
    ----------
    choices
        The quantizers.
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


def make_oracle(params: SearchParams, space: Any, price: Callable[[Values], float]) -> Any:
    """Return keras-tuner's oracle for ``search.mode``.

    Parameters
    ----------
    params
        The ``search`` section.
    space
        See `hyperparameters`.
    price
        Cost of a network, from its values.
    """
    size = math.prod(len(decision.values) for decision in space.space)
    params = params.model_copy(update={"max_trials": min(params.max_trials, size)})
    common = _common(params, space)
    if params.mode == "hyperband":
        oracle: Any = _HyperbandOracle(max_epochs=params.epochs, **common)
    elif params.mode == "halving":
        oracle = HalvingOracle(params, price, **common)
    else:
        oracles = {"random": RandomOracle, "bayesian": _BayesianOracle}
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
    """Stop an oracle's prints: the stage shows its progress itself."""
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


class _ListOracle(RandomOracle):
    """Every value of its one decision, in order."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        (decision,) = self.get_space().space
        return {
            "status": TrialStatus.RUNNING,
            "values": {decision.name: decision.values[int(trial_id)]},
        }


class _HyperbandOracle(
    Durable,
    Thorough,
    keras_tuner.oracles.HyperbandOracle,  # type: ignore[misc]
):
    """keras-tuner's; where combinations run out, rounds are smaller instead of left unfinished."""

    @cached_property
    def rounds(self) -> dict[int, list[int]]:
        """Trials of every round, by bracket."""
        oracle: Any = self
        combinations = math.prod(len(d.values) for d in oracle.hyperparameters.space)
        return hyperband_rounds(oracle.max_epochs, combinations)

    def _get_size(self, bracket_num: int, round_num: int) -> int:
        return self.rounds[bracket_num][round_num]


class _BayesianOracle(
    Durable,
    Thorough,
    keras_tuner.oracles.BayesianOptimizationOracle,  # type: ignore[misc]
):
    """keras-tuner's, resumable: its next trial follows from the trials alone.

    keras-tuner does not save its random generator, and reads trials back in the
    order of the directory. Where its choice, rounded to what there is, has been
    tried before, it would train the same network again; here a random one is next.
    """

    trials: dict[str, Any]

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self.trials = dict(sorted(self.trials.items(), key=lambda item: int(item[0])))
        self._random_state = np.random.RandomState(self.seed + int(trial_id))
        oracle: Any = super()
        response: dict[str, Any] = oracle.populate_space(trial_id)
        if self._duplicate(response.get("values") or {}):
            response = oracle._random_populate_space()
        return response


def trials_of(oracle: Any) -> int:
    """Return the trials that an oracle asks for; of Hyperband, all rounds of all brackets."""
    if isinstance(oracle, HalvingOracle):
        return oracle.asked()
    if not isinstance(oracle, _HyperbandOracle):
        return int(oracle.max_trials)
    return sum(map(sum, oracle.rounds.values()))
