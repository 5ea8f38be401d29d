"""Figures of merit as metrics (JSON), as a table to read (Markdown) and as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.base.files import Cell, Columns
from pipeline.evaluation.residuals import EventClass, Figures, Profile, figures, histogram
from pipeline.evaluation.sample import Sample
from pipeline.params.evaluation import EvaluateParams
from pipeline.presentation.markdown import table

Metrics = dict[str, dict[str, Figures]]

COLUMNS = (
    ("mean_mev", "mean E_T"),
    ("bias_mev", "bias"),
    ("median_mev", "median"),
    ("rmse_mev", "RMSE"),
    ("width68_mev", "68 % width"),
    ("width98_mev", "98 % width"),
)

DEFINITIONS = """\
All figures in MeV. Residual: reconstructed - true E_T. Mean E_T: of the
reconstruction. Bias, median, RMSE: of the residual. 68 % width: half the distance
between its 16 % and 84 % quantiles; 98 % width: between its 1 % and 99 % quantiles.
A dash: no BC in this class.
"""


def metrics(sample: Sample) -> Metrics:
    """Figures by reconstruction and class, e.g. ``["float"]["high"]["rmse_mev"]``.

    Energies are rounded to 0.1 keV, far below what a difference can mean, so that
    the last bit of a sum does not show as a change. Empty classes hold a
    ``count`` of 0 only.
    """
    return {
        name: {
            group.name: {
                key: value if key == "count" else _rounded(value)
                for key, value in figures(sample.true_mev, reco, group.mask).items()
            }
            for group in [*sample.by_energy, *sample.by_gap]
        }
        for name, reco in sample.reco_mev.items()
    }


def markdown(sample: Sample, content: Metrics, label: str) -> str:
    """Build the table for people: 0.1 MeV, one row per class and reconstruction."""
    low = sample.energy_class("high").title
    return "\n".join(
        [
            f"# {label}" if label else "# Evaluation",
            "",
            DEFINITIONS,
            "## By true E_T",
            "",
            *_rows(sample.by_energy, content),
            "",
            f"## By gap: BCs since the previous deposit {low}, for BCs with true E_T {low}",
            "",
            *_rows(sample.by_gap, content),
            "",
        ]
    )


def by_class_columns(sample: Sample, content: Metrics) -> Columns:
    """All figures in long form: one row per class and reconstruction."""
    rows = [
        (group.name, name, by_class[group.name])
        for group in [*sample.by_energy, *sample.by_gap]
        for name, by_class in content.items()
    ]
    return {
        "class": [group for group, _, _ in rows],
        "reconstruction": [name for _, name, _ in rows],
        "count": [found["count"] for _, _, found in rows],
        **{key: [found.get(key, "") for _, _, found in rows] for key, _ in COLUMNS},
    }


def residuals_columns(sample: Sample, params: EvaluateParams) -> Columns:
    """Residual distributions of the classes `all` and `high`, one row per bin.

    One column per class and reconstruction, e.g. ``high_float``: DVC draws a
    line per column.
    """
    columns: dict[str, list[str]] = {}
    for group in (sample.energy_class("all"), sample.energy_class("high")):
        for name, residual in sample.residual_mev.items():
            edges, fraction = histogram(
                residual[group.mask], params.residual_range_mev, params.residual_bin_mev
            )
            centres = (edges[:-1] + edges[1:]) / 2
            columns["residual_mev"] = [f"{x:z.6g}" for x in centres]
            columns[f"{group.name}_{name}"] = [f"{y:.6g}" for y in fraction]
    return columns


def response_columns(response: Mapping[str, Profile]) -> Columns:
    """Quantiles of the residual in bins of true E_T, one row per bin."""
    columns: dict[str, list[Cell]] = {
        "reconstruction": [name for name, bins in response.items() for _ in bins.count],
        "count": [int(count) for bins in response.values() for count in bins.count],
    }
    for title, quantity in (
        ("true_et_mev", "centre"),
        ("q01_mev", "q01"),
        ("q16_mev", "q16"),
        ("median_mev", "median"),
        ("q84_mev", "q84"),
        ("q99_mev", "q99"),
        ("rmse_mev", "rmse"),
    ):
        values = [value for bins in response.values() for value in getattr(bins, quantity)]
        columns[title] = [f"{value:z.6g}" for value in values]
    return columns


def _rows(groups: Sequence[EventClass], content: Metrics) -> list[str]:
    head = ["class", "reconstruction", "BCs", *(title for _, title in COLUMNS)]
    rows: list[list[object]] = []
    for group in groups:
        for name, by_class in content.items():
            merits = by_class[group.name]
            cells = [f"{merits[key]:z.1f}" if key in merits else "-" for key, _ in COLUMNS]
            rows.append([group.title, name, merits["count"], *cells])
    return table(head, rows, "ll" + "r" * (len(head) - 2))


def _rounded(value: float) -> float:
    # Adding 0 turns -0.0 into 0.0.
    return round(value, 4) + 0.0
