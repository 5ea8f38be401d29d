"""Results of a search, without a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.artifacts.search import SearchResult
from tests.quantization.quantizer_sets import quantizer_set


def trial_row(trial: str, **changed: Any) -> dict[str, Any]:
    """One uniform network of ``models/search.json``; one more key makes it a trial."""
    row = {
        "trial": trial,
        "quantizers": {name: q.text for name, q in quantizer_set("auto_po2").items()},
        "seed": 1,
        "epochs": 80,
        "score": 1.1,
        "quality": 0.99,
        "delta": 0.1,
        "cost": 50.0,
        "energy_nj": 0.05,
        "weight_bits": 300.0,
        "validation_rmse_mev": 49.0,
        "units": 8,
        "learning_rate": 1e-3,
        "dead": False,
        "continues": None,
        "restarts": 0,
        "starts_rmse_mev": [50.0, 51.0],
    }
    return row | changed


def search_content(
    trials: Sequence[dict[str, Any]], uniform: Sequence[dict[str, Any]] = (), **changed: Any
) -> dict[str, Any]:
    """Content of ``models/search.json``, whose best trial is the last one."""
    content = {
        "schema_version": 1,
        "best": trials[-1]["trial"],
        "quantizers": trials[-1]["quantizers"],
        "units": trials[-1]["units"],
        "limit_met": None,
        "reference": {"validation_rmse_mev": 48.5, "cost": 102.0, "goal": "energy"},
        "trials": [{"on_front": False, **row} for row in trials],
        "uniform": list(uniform),
        "failures": {},
        "float_rmse_mev": 48.5,
        "ofmax_rmse_mev": 58.3,
    }
    return content | changed


def search_result(*arguments: Any, **changed: Any) -> SearchResult:
    """`search_content`, checked."""
    return SearchResult.model_validate(search_content(*arguments, **changed))
