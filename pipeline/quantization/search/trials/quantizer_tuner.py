"""The search for quantizers and widths: what one trial of an oracle's choices is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.artifacts.search import Trial
from pipeline.quantization.search.plan.space import (
    HIGHEST_RATE,
    LEARNING_RATE,
    LEARNING_RATE_CHOICES,
    Choice,
    chosen_units,
)
from pipeline.quantization.search.trials.halving import EARLIER, EPOCHS
from pipeline.quantization.search.trials.network_tuner import NetworkTuner
from pipeline.quantization.search.trials.oracles import hyperparameters, make_oracle
from pipeline.quantization.search.trials.runner import TrialRunner
from pipeline.quantization.training.rescaling import KERNEL
from pipeline.quantization.training.result import Starts
from pipeline.quantization.training.settings import QatSettings
from pipeline.quantizers.quantizer import Quantizer


@dataclass(frozen=True)
class Decided:
    """Quantizers by tensor and units that are fixed before a search begins."""

    quantizers: Mapping[str, Quantizer]
    units: int


class QuantizationTuner(NetworkTuner):
    """Tries quantizers and widths; see `train`.

    Parameters
    ----------
    runner
        Trains and remembers trials; its directory holds the state.
    choices
        What is searched.
    filters
        Decisions on widths, see `pipeline.quantization.search.plan.space`.
    decided
        What is decided already.
    prefix
        Goes before keras-tuner's number in the name of a trial.
    phase
        See `NetworkTuner`.
    """

    def __init__(
        self,
        runner: TrialRunner,
        choices: Sequence[Choice],
        filters: Sequence[str] = (),
        decided: Decided | None = None,
        prefix: str = "",
        phase: int = 0,
    ) -> None:
        # First what a price needs: the oracle of a search that goes on asks for some at once.
        self.choices = choices
        self.decided = decided or Decided({}, runner.costs.architecture.units)
        self.prefix = prefix
        self.runner = runner
        self._best: Trial | None = None
        space = hyperparameters(choices, runner.params, filters)
        super().__init__(runner, make_oracle(runner.params, space, self.price), phase)

    @property
    def asked_by(self) -> str:
        """The parameters that say how many trials there are."""
        return {
            "hyperband": "search.epochs",
            "halving": "search.max_trials, survivors and descents",
        }.get(self.params.mode, "search.max_trials")

    def name_of(self, trial: Any) -> str:
        """Return what a trial is recorded under."""
        return f"{self.prefix}{trial.trial_id}"

    def train(self, trial: Any) -> Trial:
        """Train, score and record the network that the trial's choices describe.

        Its seed follows from its number, so that no interruption changes it.
        """
        values = trial.hyperparameters.values
        quantizers = self.quantizers_of(values)
        units = chosen_units(values, self.decided.units)
        name, before = self.name_of(trial), values.get(EARLIER)
        continues = None if before is None else f"{self.prefix}{before}"
        earlier = None if continues is None else self.runner.record(continues)
        settings = QatSettings(
            epochs=self.params.epochs,
            batch_size=self.params.batch_size,
            learning_rate=self.learning_rate_of(values, quantizers, units),
            seed=self.params.seed + int(trial.trial_id) if earlier is None else earlier.seed,
            units=units,
            first_epoch=0 if earlier is None else earlier.epochs,
            last_epoch=values.get(EPOCHS),
            restarts=0 if earlier is None else earlier.restarts,
            patience=self.params.early_stopping_patience,
            starts=self.params.seeds,
        )
        start = self._starts(quantizers, units) if continues is None else None
        return self.runner.run(name, quantizers, settings, start, f"trial {name}", continues)

    def best_with(self, record: Trial) -> Trial:
        """Return the best trial told of so far, this one included."""
        self._best = best_of([self._best, record] if self._best else [record])
        return self._best

    def price(self, values: Mapping[str, Any]) -> float:
        """Return the cost of the network that some choices describe."""
        units = chosen_units(values, self.decided.units)
        return self.runner.costs.trial(self.quantizers_of(values), units).cost

    def quantizers_of(self, values: Mapping[str, Any]) -> dict[str, Quantizer]:
        """Return the quantizer of every tensor for one set of choices."""
        quantizers = {**self.runner.input_quantizer, **self.decided.quantizers}
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
        lowest = min(1.0, cost / self.runner.baseline.cost)
        factors = np.linspace(lowest, HIGHEST_RATE, LEARNING_RATE_CHOICES)
        return float(rate * factors[int(values[LEARNING_RATE])])

    def _starts(self, quantizers: Mapping[str, Quantizer], units: int) -> Starts:
        if not self.params.transfer_weights:
            return None
        starts = self.runner.starts(units)
        if KERNEL in self.decided.quantizers:
            # Trained with its quantizer by an earlier block. The Dense kernel may have been, too,
            # but it is trained on here, and a factor costs it little.
            return starts
        return self.runner.trainer.rescaled(starts, quantizers.get(KERNEL))


def best_of(records: Sequence[Trial]) -> Trial:
    """Return the trial with the highest score; the earlier one of equals."""
    return max(records, key=lambda record: (record.score, [-ord(c) for c in record.trial]))
