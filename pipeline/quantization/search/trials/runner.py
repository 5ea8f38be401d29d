"""Train, score and remember one network: what every trial and uniform network does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.artifacts.search import Baseline, Trial
from pipeline.base.architecture import INPUT, Shape, units_of
from pipeline.base.arrays import F32
from pipeline.base.errors import PipelineError
from pipeline.base.schema import read, write
from pipeline.base.weights import load_weights, save_weights
from pipeline.networks.fitting import rmse_mev
from pipeline.params.network import GoalParams, SearchParams
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.search.plan.score import forgiving_delta, limit_score, quality, score
from pipeline.quantization.training.result import Starts
from pipeline.quantization.training.settings import QatSettings
from pipeline.quantization.training.trainer import QatTrainer
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer

_SAME_RMSE = 1e-6  # relative; XLA may sum in another order


class SearchError(PipelineError):
    """The search did not complete what was asked."""


def measure_baseline(
    trainer: QatTrainer, weights: Mapping[str, F32], costs: CostModel, et_scale_gev: float
) -> Baseline:
    """Return what trials are compared with: the float network's RMSE and the reference cost."""
    loss = trainer.validation_loss({}, weights)
    return Baseline(
        validation_rmse_mev=rmse_mev(loss, et_scale_gev), cost=costs.reference(), goal=costs.goal
    )


@dataclass(frozen=True)
class TrialRunner:
    """Trains networks from the float weights and keeps records and weights of them.

    Attributes
    ----------
    params
        The ``search`` section.
    trainer, costs, baseline
        How networks are trained, priced and compared.
    float_weights
        What networks start from, by ``layer/tensor``.
    et_scale_gev
        What E_T was divided by.
    directory
        Where ``record_<name>.json`` and ``weights_<name>.h5`` go.
    varied
        Whether the starts of one trial are several float networks; else all are `float_weights`,
        which an earlier block has trained with quantizers.
    """

    params: SearchParams
    trainer: QatTrainer
    costs: CostModel
    baseline: Baseline
    float_weights: Mapping[str, F32]
    et_scale_gev: float
    directory: Path
    varied: bool = True

    @property
    def _start_units(self) -> int:
        return units_of(self.float_weights) or self.costs.architecture.units

    @property
    def input_quantizer(self) -> dict[str, Quantizer]:
        """The quantizer of the samples, which every network has."""
        return {INPUT: parse_quantizer(self.params.input_quantizer, "search.input_quantizer")}

    def run(
        self,
        name: str,
        quantizers: Mapping[str, Quantizer],
        settings: QatSettings,
        initial: Starts,
        label: str,
        continues: str | None = None,
    ) -> Trial:
        """Train and score a network, or return what is on disk of the very same one.

        Parameters
        ----------
        name
            What it is recorded under.
        quantizers, settings, initial
            See `QatTrainer.fit`.
        label
            Of the progress bar.
        continues
            Name of a recorded trial whose training goes on; `initial` is then not used.
        """
        units = settings.units or self.costs.architecture.units
        texts = {tensor: quantizer.text for tensor, quantizer in quantizers.items()}
        done = self._done(name, texts, replace(settings, units=units), continues)
        if done is not None:
            return done
        # Priced first: what cannot be priced should not be trained.
        cost = self.costs.trial(quantizers, units)
        checkpoint = None
        if continues is not None:
            initial = self.weights(continues)
            checkpoint = self.trainer.load_checkpoint(
                self._checkpoint_file(continues), quantizers, settings
            )
        result = self.trainer.fit(quantizers, initial, settings, label, checkpoint)
        trial_mev = rmse_mev(result.validation_loss, self.et_scale_gev)
        points, delta = score_of(self.params.goal, self.baseline, trial_mev, cost.cost)
        record = Trial(
            trial=name,
            quantizers=texts,
            seed=settings.seed,
            epochs=settings.first_epoch + result.fit.epochs,
            score=points,
            quality=quality(self.baseline.validation_rmse_mev, trial_mev),
            delta=delta,
            cost=cost.cost,
            energy_nj=cost.energy_nj,
            weight_bits=cost.weight_bits,
            validation_rmse_mev=trial_mev,
            units=units,
            learning_rate=settings.learning_rate,
            dead=result.dead or (continues is not None and self.record(continues).dead),
            continues=continues,
            restarts=result.restarts,
            starts_rmse_mev=[rmse_mev(loss, self.et_scale_gev) for loss in result.start_losses],
        )
        if result.checkpoint is not None:
            result.checkpoint.save(self._checkpoint_file(name))
        save_weights(self._weights_file(name), result.weights)
        write(self._record_file(name), record)
        return record

    def record(self, name: str) -> Trial:
        """Return what was recorded under a name."""
        return read(Trial, self._record_file(name))

    def weights(self, name: str) -> dict[str, F32]:
        """Return the best weights of a recorded network."""
        units = self.record(name).units
        return load_weights(self._weights_file(name), self._shapes(units))

    def starts(self, units: int) -> Sequence[Mapping[str, F32]]:
        """Return float networks of some width to start from; trained once, then read from disk.

        A narrower network loses at most a quarter of its units at once and is trained
        before it loses more. Workers that make them at the same time, on machines alike, make
        the same.

        Parameters
        ----------
        units
            Width of the recurrent layer.
        """
        count = self.trainer.starts_of(units, self.params.seeds if self.varied else 1)
        if units == self._start_units and count == 1:
            return [self.float_weights]
        file = self.directory / f"float_{units}.h5"
        if file.exists():
            return self._read_starts(file, units, count)
        wider = min(units + max(units // 3, 1), self._start_units)
        narrower = units < self._start_units
        before = self.float_weights
        if narrower and wider < self._start_units:
            before = self.starts(wider)[0]
        starts = self.trainer.float_starts(before, units, count)
        if not file.exists():  # else another worker has written it, too
            save_weights(file, {f"{n}/{t}": w[t] for n, w in enumerate(starts, 1) for t in w})
        return starts

    def verify(self, record: Trial) -> None:
        """Score a network again from its stored weights.

        Raises
        ------
        SearchError
            If the RMSE is not the one that was recorded.
        """
        quantizers = {t: parse_quantizer(text, t) for t, text in record.quantizers.items()}
        loss = self.trainer.validation_loss(quantizers, self.weights(record.trial))
        again = rmse_mev(loss, self.et_scale_gev)
        if abs(again - record.validation_rmse_mev) > _SAME_RMSE * record.validation_rmse_mev:
            raise SearchError(
                f"trial {record.trial}: scored {record.validation_rmse_mev} MeV, "
                f"but its stored weights give {again} MeV"
            )

    def _read_starts(self, file: Path, units: int, count: int) -> list[Mapping[str, F32]]:
        shapes = self._shapes(units)
        tensors = load_weights(
            file, {f"{n}/{t}": shapes[t] for n in range(1, count + 1) for t in shapes}
        )
        return [{t: tensors[f"{n}/{t}"] for t in shapes} for n in range(1, count + 1)]

    def _done(
        self, name: str, texts: Mapping[str, str], settings: QatSettings, continues: str | None
    ) -> Trial | None:
        """Return a record of the same training: a kill can come between it and the oracle."""
        if not (self._record_file(name).exists() and self._weights_file(name).exists()):
            return None
        record = self.record(name)
        known = (
            record.quantizers, record.seed, record.units, record.learning_rate, record.continues,
        )  # fmt: skip
        wanted = (
            dict(texts), settings.seed, settings.units, settings.learning_rate, continues,
        )  # fmt: skip
        return record if known == wanted else None

    def _shapes(self, units: int) -> dict[str, Shape]:
        return self.costs.architecture.with_units(units).weight_shapes

    def _checkpoint_file(self, name: str) -> Path:
        return self.directory / f"checkpoint_{name}.h5"

    def _weights_file(self, name: str) -> Path:
        return self.directory / f"weights_{name}.h5"

    def _record_file(self, name: str) -> Path:
        return self.directory / f"record_{name}.json"


def score_of(
    goal: GoalParams, baseline: Baseline, trial_mev: float, trial_cost: float
) -> tuple[float, float]:
    """Return what the search maximises, and AutoQKeras' delta."""
    delta = forgiving_delta(
        baseline.cost,
        trial_cost,
        delta_p=goal.delta_p,
        delta_n=goal.delta_n,
        rate=goal.rate,
        stress=goal.stress,
    )
    float_mev = baseline.validation_rmse_mev
    if goal.max_rmse_ratio is None:
        return score(float_mev, trial_mev, delta), delta
    ratio = baseline.cost / trial_cost
    return limit_score(float_mev, trial_mev, goal.max_rmse_ratio, ratio), delta
