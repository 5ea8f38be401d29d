"""Figures of merit as metrics (JSON), as a table to read (Markdown) and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

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


def by_class_csv(sample: Sample, content: Metrics) -> str:
    """All figures in long form: one row per class and reconstruction."""
    keys = [key for key, _ in COLUMNS]
    rows = [
        [group.name, name, by_class[group.name]["count"]]
        + [by_class[group.name].get(key, "") for key in keys]
        for group in [*sample.by_energy, *sample.by_gap]
        for name, by_class in content.items()
    ]
    return _csv(["class", "reconstruction", "count", *keys], rows)


def residuals_csv(sample: Sample, params: EvaluateParams) -> str:
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
    return _csv(list(columns), [list(row) for row in zip(*columns.values(), strict=True)])


def response_csv(response: Mapping[str, Profile]) -> str:
    """Quantiles of the residual in bins of true E_T, one row per bin."""
    rows = []
    for name, bins in response.items():
        columns = (bins.centre, bins.q01, bins.q16, bins.median, bins.q84, bins.q99, bins.rmse)
        rows += [
            [name, int(count), *(f"{value:z.6g}" for value in values)]
            for count, *values in zip(bins.count, *columns, strict=True)
        ]
    header = ["true_et_mev", "q01_mev", "q16_mev", "median_mev", "q84_mev", "q99_mev", "rmse_mev"]
    return _csv(["reconstruction", "count", *header], rows)


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


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
