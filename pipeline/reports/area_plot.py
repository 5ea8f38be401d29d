"""A picture of the area of one streaming core, family by family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from pipeline.artifacts.implementation import Implemented

_SHOWN = (("lut", "LUT", "#4477aa"), ("ff", "FF", "#ccbb44"), ("carry", "carry cells", "#aa3377"))


def area_figure(families: Sequence[Implemented]) -> Figure:
    """Bars of LUTs, flip-flops and carry cells of one core, one group per family."""
    figure = Figure(figsize=(7.0, 4.4), layout="constrained")
    axes = figure.add_subplot()
    places, width = np.arange(len(families)), 0.8 / len(_SHOWN)
    for index, (key, title, colour) in enumerate(_SHOWN):
        bars = axes.bar(
            places + (index - 1) * width,
            [one.resources[key] for one in families],
            width,
            label=title,
            color=colour,
        )
        axes.bar_label(bars, fontsize=8, padding=2)
    axes.set_xticks(places, [one.title for one in families])
    axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    axes.margins(x=0.05, y=0.15)
    axes.set_ylabel("cells of one streaming core, after synthesis")
    axes.legend()
    return figure
