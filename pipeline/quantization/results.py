"""What a finished search writes: the choice, every trial, the figures."""

from __future__ import annotations

from typing import Any

from pipeline.quantization.tuner import QuantizationTuner, best_of
from pipeline.rnn.fitting import rmse_mev

_PJ_PER_NJ = 1000.0


def search_result(tuner: QuantizationTuner) -> dict[str, Any]:
    """Return the content of ``models/search.json``; the winner is scored again first.

    Raises
    ------
    SearchError
        If the winner's stored weights do not give the RMSE that it reported.
    """
    records = tuner.records()
    best = best_of(records)
    tuner.verify(best)
    return {
        "best": best.trial,
        "quantizers": best.quantizers,
        "reference": {
            "validation_rmse_mev": rmse_mev(tuner.reference.loss, tuner.et_scale_gev),
            "cost": tuner.reference.cost,
            "goal": tuner.params.goal.type,
        },
        "trials": [record.to_json() for record in records],
        "failures": tuner.failures(),
    }


def search_metrics(tuner: QuantizationTuner) -> dict[str, float]:
    """Return the content of ``metrics/search.json``."""
    records = tuner.records()
    best = best_of(records)
    return {
        "trials_asked": tuner.trials_asked,
        "trials_completed": len(records),
        "trials_failed": len(tuner.failures()),
        "best_score": best.score,
        "energy_nj": best.energy_nj,
        "reference_energy_nj": tuner.costs.reference_energy() / _PJ_PER_NJ,
        "weight_bits": best.weight_bits,
        "validation_rmse_mev": best.validation_rmse_mev,
        "reference_rmse_mev": rmse_mev(tuner.reference.loss, tuner.et_scale_gev),
    }


def trial_table(tuner: QuantizationTuner) -> dict[str, list[Any]]:
    """Return energy, RMSE and score of all trials as columns, for ``dvc plots``."""
    records = tuner.records()
    columns = ("trial", "energy_nj", "weight_bits", "validation_rmse_mev", "quality", "score")
    return {name: [getattr(record, name) for record in records] for name in columns}
