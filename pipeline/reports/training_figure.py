"""The course of a fit: RMSE against epoch, and where the learning rate changes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.artifacts.learning_curve import LearningCurve, StartCurves
from pipeline.presentation.style import data_label

# The first epochs are far above the rest, and would press it into a line at the bottom.
_SHOWN_QUANTILE = 0.9
_ROOM = 0.12  # of the shown range, below and above
_OTHERS = "#bcd3fd"
_MOST_MARKS = 25  # a rate that changes in every epoch is drawn as a curve of its own


def learning_curve(curve: LearningCurve, starts: StartCurves | None = None) -> Figure:
    """Draw both errors; the best epoch is marked, and the y axis ends where most epochs do.

    All starts of which the curve is the best are drawn behind it.
    """
    epoch = np.asarray(curve.epoch, np.float64)
    errors = {
        "Training": np.asarray(curve.train_rmse_mev, np.float64),
        "Validation": np.asarray(curve.validation_rmse_mev, np.float64),
    }
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    mark = "o" if len(epoch) == 1 else ""
    others = starts.by_start() if starts is not None else []
    if len(others) > 1:
        for of_start in others:
            axes.plot(*of_start, color=_OTHERS, lw=0.7)
        axes.plot([], [], color=_OTHERS, lw=0.7, label=f"Validation, all {len(others)} starts")
    for (title, values), colour in zip(errors.items(), ("#9c9ca1", "#5790fc"), strict=True):
        axes.plot(epoch, values, marker=mark, color=colour, label=title)
    best = int(np.argmin(errors["Validation"]))
    value = float(errors["Validation"][best])
    axes.plot(epoch[best], value, "*", ms=13, color="#e42536",
              label=f"Best: epoch {epoch[best]:g}, {value:.2f} MeV")  # fmt: skip
    low, high = shown_range(np.concatenate(list(errors.values())))
    axes.set_ylim(low, high)
    axes.set_xlim(epoch[0] - 0.5, epoch[-1] + 0.5)
    _mark_rates(axes, epoch, np.asarray(curve.learning_rate, np.float64))
    above = int(np.count_nonzero(np.maximum(*errors.values()) > high))
    if above:
        first = max(float(values[0]) for values in errors.values())
        data_label(axes, f"{above} epochs lie above; epoch {epoch[0]:g}: {first:.1f} MeV")
    axes.set_xlabel("Epoch")
    axes.set_ylabel("RMSE [MeV]")
    axes.legend(loc="upper right")
    return figure


def shown_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range of the y axis: from the best value to that of most epochs."""
    low, high = float(values.min()), float(np.quantile(values, _SHOWN_QUANTILE))
    room = _ROOM * max(high - low, 1e-3 * high, 1e-6)
    return low - room, high + 3 * room


def rate_changes(rate: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the indices of epochs whose rate is another than that of the epoch before."""
    return np.flatnonzero(np.diff(rate)) + 1


def _mark_rates(axes: Axes, epoch: NDArray[np.float64], rate: NDArray[np.float64]) -> None:
    changes = rate_changes(rate)
    look: dict[str, Any] = {"color": "#7a21dd", "lw": 1.0}
    if len(changes) > _MOST_MARKS:
        other = axes.twinx()
        other.plot(epoch, rate, linestyle=":", **look)
        other.set_ylabel("Learning rate")
        other.set_ylim(0, 1.05 * float(rate.max()))
        axes.plot([], [], linestyle=":", label="Learning rate (right)", **look)
        axes.tick_params(axis="y", which="both", right=False)
        return
    for index in changes:
        axes.axvline(epoch[index] - 0.5, linestyle=":", **look)
        axes.annotate(f"{rate[index]:.2g}", (epoch[index] - 0.5, 0.02), fontsize=8, rotation=90,
                      xycoords=("data", "axes fraction"), xytext=(2, 0), ha="left",
                      textcoords="offset points", color=look["color"])  # fmt: skip
    if len(changes):
        axes.plot([], [], linestyle=":", label=f"Learning rate, first {rate[0]:.2g}", **look)
