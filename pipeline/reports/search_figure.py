"""The trade of the search: energy of one inference against RMSE, all trials in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.presentation.style import LOOKS

# Trials far above the levels would squeeze the front; the figure ends here, in units of the float
# network's RMSE, unless OFMax is higher. The CSV has them all.
_TOP = 1.35


def trade_off(table: Mapping[str, Sequence[Any]]) -> Figure:
    """Draw trials, their front, uniform networks, and the levels of float and OFMax.

    Parameters
    ----------
    table
        Columns ``energy_nj``, ``validation_rmse_mev``, ``float_rmse_mev``,
        ``ofmax_rmse_mev`` and the flags ``on_front``, ``chosen``, ``uniform``.
    """
    energy = np.asarray(table["energy_nj"], np.float64)
    rmse = np.asarray(table["validation_rmse_mev"], np.float64)
    flags = {name: np.asarray(table[name], bool) for name in ("on_front", "chosen", "uniform")}
    levels = {name: float(table[f"{name}_rmse_mev"][0]) for name in ("float", "ofmax")}
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    trial = ~flags["uniform"]
    axes.plot(energy[trial], rmse[trial], "o", ms=4, color="#9c9ca1", label="Trials")
    front = _ordered(energy, flags["on_front"])
    axes.step(energy[front], rmse[front], "o-", where="post", ms=5, color="#5790fc", label="Front")
    uniform = _ordered(energy, flags["uniform"])
    if len(uniform):
        axes.plot(energy[uniform], rmse[uniform], "D--", ms=5, color="#7a21dd", mfc="none",
                  label="Same bits everywhere")  # fmt: skip
    axes.plot(energy[flags["chosen"]], rmse[flags["chosen"]], "*", ms=13, color="#e42536",
              label="Chosen")  # fmt: skip
    for name, level in levels.items():
        look = LOOKS[name]
        axes.axhline(level, color=look.colour, linestyle=":", lw=1.4, label=look.title)
    lowest = min(rmse.min(), levels["float"])
    top = max(_TOP * levels["float"], 1.02 * min(levels["ofmax"], 2 * levels["float"]))
    axes.set_ylim(lowest - 0.05 * (top - lowest), top)
    axes.set_xlim(0, 1.05 * energy.max())
    axes.set_xlabel("Energy of one inference, QTools' model [nJ]")
    axes.set_ylabel("Validation RMSE [MeV]")
    axes.legend(loc="upper right")
    return figure


def _ordered(energy: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the indices of the chosen points from the cheapest on."""
    found = np.flatnonzero(chosen)
    return found[np.argsort(energy[found], kind="stable")]
