"""What a finished search writes: the choice, every trial, whether it is on the front, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.artifacts.search import RankedTrial, SearchResult, Trial
from pipeline.base.arrays import F32
from pipeline.base.errors import say
from pipeline.quantization.search.plan.pareto import on_front
from pipeline.quantization.search.trials.network_tuner import NetworkTuner
from pipeline.quantization.search.trials.quantizer_tuner import QuantizationTuner, best_of
from pipeline.quantization.search.trials.runner import TrialRunner


@dataclass(frozen=True)
class Outcome:
    """A finished search.

    Attributes
    ----------
    records
        Completed trials of all blocks.
    uniform
        Uniform networks.
    best
        The chosen trial, one of the last block.
    failures
        What went wrong, by trial.
    asked
        Trials asked for.
    runners
        By name of trial or point: where its weights are.
    """

    records: list[Trial]
    uniform: list[Trial]
    best: Trial
    failures: dict[str, str]
    asked: int
    runners: dict[str, TrialRunner]

    @property
    def runner(self) -> TrialRunner:
        """The one that trained the chosen trial."""
        return self.runners[self.best.trial]

    @property
    def front(self) -> dict[str, bool]:
        """By trial: whether no trial is both cheaper and better.

        Trials of earlier blocks leave tensors float; they are not networks that
        could be built, so they are not on it.
        """
        whole = [r for r in self.records if set(r.quantizers) == set(self.best.quantizers)]
        flags = on_front(
            [r.energy_nj for r in whole], [r.validation_rmse_mev for r in whole]
        ).tolist()
        on = dict(zip((r.trial for r in whole), flags, strict=True))
        return {record.trial: on.get(record.trial, False) for record in self.records}

    @property
    def limit_met(self) -> bool | None:
        """Whether the chosen trial is within ``max_rmse_ratio``; None without a limit."""
        limit = self.runner.params.goal.max_rmse_ratio
        if limit is None:
            return None
        return self.best.validation_rmse_mev <= limit * self.runner.baseline.validation_rmse_mev

    def weights(self) -> dict[str, F32]:
        """Return the weights of all trials and points, by ``<name>/<layer>/<tensor>``."""
        return {
            f"{name}/{tensor}": values
            for name, runner in self.runners.items()
            for tensor, values in runner.weights(name).items()
        }


def outcome_of(
    tuners: Sequence[QuantizationTuner],
    points: NetworkTuner | None = None,
) -> Outcome:
    """Collect the trials of all blocks; the winner is scored again first.

    Parameters
    ----------
    tuners
        In the order of the blocks.
    points
        Of the uniform networks.

    Raises
    ------
    SearchError
        If the winner's stored weights do not give the RMSE that it reported.
    """
    last = tuners[-1]
    best = best_of(last.records())
    last.verify(best)
    runners = {record.trial: tuner.runner for tuner in tuners for record in tuner.records()}
    uniform = [] if points is None else points.records()
    if points is not None:
        runners |= {record.trial: points.runner for record in uniform}
    outcome = Outcome(
        records=[record for tuner in tuners for record in tuner.records()],
        uniform=uniform,
        best=best,
        failures={name: text for tuner in tuners for name, text in tuner.failures().items()},
        asked=sum(tuner.trials_asked for tuner in tuners),
        runners=runners,
    )
    if outcome.limit_met is False:
        say(
            f"warning: search.goal.max_rmse_ratio: {last.params.goal.max_rmse_ratio}: no trial is "
            f"within it; trial {best.trial}, the nearest with {best.validation_rmse_mev:.2f} MeV "
            f"(float {last.runner.baseline.validation_rmse_mev:.2f} MeV), is chosen",
        )
    return outcome


def search_result(outcome: Outcome, ofmax_rmse_mev: float) -> SearchResult:
    """Return the content of ``models/search.json``.

    Parameters
    ----------
    outcome
        The finished search.
    ofmax_rmse_mev
        RMSE of optimal filter and maximum finder on the validation split.
    """
    best, runner, front = outcome.best, outcome.runner, outcome.front
    return SearchResult(
        best=best.trial,
        quantizers=best.quantizers,
        units=best.units,
        limit_met=outcome.limit_met,
        reference=runner.baseline,
        trials=[
            RankedTrial(**record.model_dump(), on_front=front[record.trial])
            for record in outcome.records
        ],
        uniform=outcome.uniform,
        failures=outcome.failures,
        float_rmse_mev=runner.baseline.validation_rmse_mev,
        ofmax_rmse_mev=ofmax_rmse_mev,
    )


def search_metrics(outcome: Outcome) -> dict[str, float]:
    """Return the content of ``metrics/search.json``."""
    best, runner = outcome.best, outcome.runner
    met = {} if outcome.limit_met is None else {"limit_met": float(outcome.limit_met)}
    return met | {
        "trials_asked": outcome.asked,
        "trials_completed": len(outcome.records),
        "trials_failed": len(outcome.failures),
        "trials_dead": sum(record.dead for record in outcome.records),
        "trials_on_front": sum(outcome.front.values()),
        "best_score": best.score,
        "energy_nj": best.energy_nj,
        "reference_energy_nj": runner.costs.reference_energy_nj(),
        "weight_bits": best.weight_bits,
        "units": best.units,
        "validation_rmse_mev": best.validation_rmse_mev,
        "reference_rmse_mev": runner.baseline.validation_rmse_mev,
    }
