"""The trade of the survey: LUTs of one streaming core against RMSE, every network labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

# Colours and marks as in the figure of the search.
_LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "trial": ("Trials", {"fmt": "o", "ms": 5, "color": "#9c9ca1"}),
    "front": ("Front of the search", {"fmt": "o-", "ms": 5, "color": "#5790fc"}),
    "uniform": ("Same bits everywhere", {"fmt": "D--", "ms": 5, "color": "#7a21dd", "mfc": "none"}),
    "finetuned": ("Chosen, fine-tuned", {"fmt": "*", "ms": 13, "color": "#e42536"}),
}

# Where a label stands, in points, and which of its ends: kinds keep out of each other's way.
_PLACES: dict[str, tuple[tuple[float, float], Literal["left", "right"]]] = {
    "trial": ((6, 4), "left"),
    "front": ((6, -11), "left"),
    "uniform": ((6, 4), "left"),
    "finetuned": ((-8, -11), "right"),
}


def area_against_rmse(table: Mapping[str, Sequence[Any]], resource: str) -> Figure:
    """Draw networks by area and RMSE; points of the front are joined, and so are uniform networks.

    Parameters
    ----------
    table
        Columns ``network``, ``kind``, ``lut`` and ``validation_rmse_mev``.
    resource
        What a unit of area is, and where: the label of the x axis.
    """
    area = np.asarray(table["lut"], np.float64)
    rmse = np.asarray(table["validation_rmse_mev"], np.float64)
    kinds = np.asarray(table["kind"])
    figure = Figure(figsize=(6.8, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    for kind, (title, look) in _LOOKS.items():
        chosen = np.flatnonzero(kinds == kind)
        chosen = chosen[np.argsort(area[chosen], kind="stable")]
        style = dict(look)
        if len(chosen):
            axes.plot(area[chosen], rmse[chosen], style.pop("fmt"), label=title, **style)
    for name, kind, x, y in zip(table["network"], kinds, area, rmse, strict=True):
        place, side = _PLACES[str(kind)]
        axes.annotate(name, (x, y), xytext=place, ha=side, textcoords="offset points", fontsize=8)
    _limits(axes, area, rmse)
    axes.set_xlabel(resource)
    axes.set_ylabel("Validation RMSE [MeV]")
    axes.legend(loc="upper right")
    return figure


def _limits(axes: Axes, area: Any, rmse: Any) -> None:
    """Room for the labels to the right and for the legend above; plain numbers as ticks."""
    span = max(float(rmse.max() - rmse.min()), 1.0)
    axes.set_ylim(rmse.min() - 0.1 * span, rmse.max() + 0.35 * span)
    axes.set_xlim(area.min() / 1.15, area.max() * 1.4)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
