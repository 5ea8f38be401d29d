"""Successive halving with one cut, then a descent from the best network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras_tuner.src.engine.trial import TrialStatus

from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.pareto import nondominated_order
from pipeline.quantization.search.plan.space import LEARNING_RATE
from pipeline.quantization.search.trials.descent import (
    Tried,
    Values,
    from_narrow_to_wide,
    next_steps,
)
from pipeline.quantization.search.trials.oracle_files import RandomOracle

# Values that keras-tuner's Hyperband adds to a trial that goes on with an earlier one, and what
# else is reported to an oracle about a trial.
EARLIER, EPOCHS, _TUNER = "tuner/trial_id", "tuner/epochs", "tuner/"
COST, RMSE, DEAD = "cost", "validation_rmse_mev", "dead"


class HalvingOracle(RandomOracle):
    """Random trials, of which some are chosen to train on, then steps from the best network.

    Chosen are the trials that few others beat in cost and RMSE at once (the ranking of
    NSGA-II: Deb et al., IEEE Trans. Evol. Comput. 6 (2002) 182; for successive halving:
    Schmucker et al., arXiv:2106.12639). A score would not do: after a few epochs cheap networks
    are still far from their final RMSE, so ranking by score would favour expensive ones.

    The descent (`pipeline.quantization.search.trials.descent`) goes in rounds, each decided when
    the one before is over: what is tried does not depend on how many workers try it. Good enough
    is a network within the limit on the RMSE; without a limit, every network is, and the descent
    looks for cheaper ones only.

    Parameters
    ----------
    params
        The ``search`` section.
    price
        Cost of a network, from its values.
    common
        For keras-tuner's oracle.
    """

    def __init__(
        self, params: SearchParams, price: Callable[[Values], float], **common: Any
    ) -> None:
        self.first, self.first_epochs = params.max_trials, params.first_epochs
        self.survivors, self.epochs = min(params.survivors, self.first), params.epochs
        self.descents = params.descents
        self.limited = params.goal.max_rmse_ratio is not None
        self._price, self._prices = price, dict[str, float]()
        super().__init__(max_trials=self.first + self.survivors + self.descents, **common)

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Return a random trial, then the survivors, one after the other, then steps."""
        number = int(trial_id)
        if number < self.first:
            response: dict[str, Any] = super().populate_space(trial_id)
            if response["values"] is not None:
                response["values"][EPOCHS] = self.first_epochs
            return response
        planned = self._planned()
        if number - self.first < len(planned):
            values = {**planned[number - self.first], EPOCHS: self.epochs}
            return {"status": TrialStatus.RUNNING, "values": values}
        return {"status": "IDLE" if self.ongoing_trials else TrialStatus.STOPPED}

    def asked(self) -> int:
        """Return how many trials there must be: fewer than planned where there is no choice."""
        alive = self._alive()
        if alive is None:
            return self.first + self.survivors + self.descents
        survivors = min(self.survivors, len(alive))
        steps, ended = self._steps(self.first + survivors)
        return self.first + survivors + (len(steps) if ended else self.descents)

    def price(self, values: Values) -> float:
        """Return the cost of a network; the rounds before are planned again at each request."""
        key = repr(sorted(values.items()))
        if key not in self._prices:
            self._prices[key] = self._price(values)
        return self._prices[key]

    def _planned(self) -> list[dict[str, Any]]:
        """Return the values of the trials after the first ones, as far as they are decided."""
        alive = self._alive()
        if alive is None:
            return []
        ranks = nondominated_order(
            [_metric(trial, COST) for trial in alive], [_metric(trial, RMSE) for trial in alive]
        )
        chosen = [alive[rank] for rank in ranks[: self.survivors]]
        survivors = [{**trial.hyperparameters.values, EARLIER: trial.trial_id} for trial in chosen]
        return survivors + self._steps(self.first + len(survivors))[0]

    def _steps(self, begun: int) -> tuple[list[dict[str, Any]], bool]:
        """Return the descent after `begun` trials, round by round, and whether it has ended."""
        steps: list[dict[str, Any]] = []
        while len(steps) < self.descents:
            before = self._completed(begun + len(steps))
            if before is None:
                return steps, False
            round_ = self._round(before)[: self.descents - len(steps)]
            if not round_:
                return steps, True
            steps += round_
        return steps, True

    def _round(self, before: list[Any]) -> list[dict[str, Any]]:
        alive = [trial for trial in before if not _metric(trial, DEAD)]
        if not alive:
            return []
        short = {trial.trial_id: _values(trial) for trial in before[: self.first] if trial in alive}
        goes_on = {_earlier(trial) for trial in before}
        tried = [
            Tried(
                _values(trial),
                trial.score,
                _metric(trial, COST),
                not self.limited or trial.score >= 1,
            )
            for trial in alive
        ]
        # A short trial that has not been continued is open: its training goes on.
        open_ = {name: values for name, values in short.items() if name not in goes_on}
        closed = [_values(trial) for trial in before if trial.trial_id not in open_]
        steps = next_steps(
            tried,
            {
                decision.name: from_narrow_to_wide(decision.values)
                for decision in self.get_space().space
                if decision.name != LEARNING_RATE
            },
            closed,
            self.price,
        )
        for step in steps:
            for name, values in open_.items():
                if values == step:
                    step[EARLIER] = name
        return steps

    def _completed(self, number: int) -> list[Any] | None:
        """Return so many trials from the first on; None if one is not complete."""
        trials: dict[str, Any] = self.trials
        first = [trials[name] for name in sorted(trials)[:number]]
        complete = all(trial.status == TrialStatus.COMPLETED for trial in first)
        return first if complete and len(first) == number else None

    def _alive(self) -> list[Any] | None:
        """Return who can be chosen; None until all first trials are complete."""
        first = self._completed(self.first)
        return None if first is None else [trial for trial in first if not _metric(trial, DEAD)]

    def _compute_values_hash(self, values: dict[str, Any]) -> Any:
        return super()._compute_values_hash(_without_tuner(values))


def _metric(trial: Any, metric: str) -> float:
    return float(trial.metrics.get_best_value(metric))


def _earlier(trial: Any) -> Any:
    return trial.hyperparameters.values.get(EARLIER)


def _values(trial: Any) -> dict[str, Any]:
    return _without_tuner(trial.hyperparameters.values)


def _without_tuner(values: Values) -> dict[str, Any]:
    return {name: value for name, value in values.items() if not name.startswith(_TUNER)}
