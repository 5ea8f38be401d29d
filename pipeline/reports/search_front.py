"""The front of a search: as a table to read, and as columns for ``dvc plots`` and the figure."""

from __future__ import annotations

import ast
from typing import Any

from pipeline.artifacts.search import SearchResult
from pipeline.base.units import PJ_PER_NJ
from pipeline.presentation.markdown import table


def pareto_table(search: SearchResult) -> dict[str, list[Any]]:
    """Return all trials and uniform networks as columns.

    The levels of the float network and of OFMax stand in every row.
    """
    rows = [*search.trials, *search.uniform]
    uniform = [False] * len(search.trials) + [True] * len(search.uniform)
    names = (
        "trial", "units", "energy_nj", "weight_bits", "validation_rmse_mev", "quality", "score",
    )  # fmt: skip
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in names}
    return columns | {
        "on_front": [int(row.on_front) for row in search.trials] + [0] * len(search.uniform),
        "chosen": [int(row.trial == search.best) for row in rows],
        "uniform": [int(flag) for flag in uniform],
        "float_rmse_mev": [search.float_rmse_mev] * len(rows),
        "ofmax_rmse_mev": [search.ofmax_rmse_mev] * len(rows),
    }


def front_columns(search: SearchResult) -> dict[str, list[Any]]:
    """Return the front from the cheapest on: energy in pJ, RMSE in MeV, bits per tensor."""
    rows: list[dict[str, Any]] = [
        {
            "trial": row.trial,
            "energy_pj": row.energy_nj * PJ_PER_NJ,
            "validation_rmse_mev": row.validation_rmse_mev,
            "score": row.score,
            "units": row.units,
            "weight_bits": int(row.weight_bits),
            **{
                f"{tensor.replace('/', '_')}_bits": bits(quantizer)
                for tensor, quantizer in row.quantizers.items()
            },
        }
        for row in search.front
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def front_markdown(search: SearchResult) -> str:
    """Return ``metrics/search.md``: the front as a table."""
    columns = front_columns(search)
    rows = [[_cell(value) for value in row] for row in zip(*columns.values(), strict=True)]
    lines = table(list(columns), rows, "l" * len(columns))
    title = "# Front of the search: energy of one inference against RMSE"
    return "\n".join([title, "", *lines]) + "\n"


def bits(quantizer: str) -> int:
    """Bits of one value of a quantizer, from its QKeras string.

    Parameters
    ----------
    quantizer
        As in ``models/search.json``, where only checked strings stand:
        ``quantized_bits(6,0,1)`` has 6, a binary class 1, a ternary one 2; 8 is QKeras' default.
    """
    call = ast.parse(quantizer, mode="eval").body
    name = ast.unparse(call.func if isinstance(call, ast.Call) else call)
    for kind, width in (("binary", 1), ("ternary", 2)):
        if kind in name:
            return width
    if not isinstance(call, ast.Call):
        return 8
    named = [keyword.value for keyword in call.keywords if keyword.arg == "bits"]
    width_of = [*call.args[:1], *named]
    return int(ast.literal_eval(width_of[0])) if width_of else 8


def _cell(value: str | float) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
