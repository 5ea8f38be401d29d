"""How figures look, and how they become files whose bytes repeat.

Ticks on all sides, frameless legends, units on the axes, the label of the data
set inside the frame instead of a title. Only matplotlib's own defaults and font
are used, whatever the user has configured, so that one machine always writes the
same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.base.files import replacing

_RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "axes.labelsize": 12,
    "axes.linewidth": 1.0,
    "axes.xmargin": 0.0,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.handlelength": 1.8,
    "legend.labelspacing": 0.35,
    "lines.linewidth": 1.6,
    "xaxis.labellocation": "right",
    "yaxis.labellocation": "top",
    "figure.dpi": 110,
    "savefig.dpi": 110,
} | {
    f"{axis}tick.{key}": value
    for axis, both in (("x", "top"), ("y", "right"))
    for key, value in {
        both: True,
        "direction": "in",
        "minor.visible": True,
        "major.size": 7,
        "minor.size": 3.5,
    }.items()
}


@dataclass(frozen=True)
class Look:
    """How one reconstruction is drawn, the same in all figures."""

    title: str
    colour: str
    line: str
    marker: str
    filled: bool = True

    @property
    def points(self) -> dict[str, Any]:
        """Keyword arguments for markers."""
        face = self.colour if self.filled else "none"
        return {"color": self.colour, "marker": self.marker, "markerfacecolor": face}


# Colours stay apart for colour-blind readers (Petroff, arXiv:2107.02270). Firmware
# equals the quantized network bit for bit, so it is drawn on top of it in a way
# that lets both be seen: dashes, and crosses inside open squares.
LOOKS = {
    "ofmax": Look("OFMax", "#964a8b", "-", "v"),
    "float": Look("RNN, float", "#5790fc", "-", "o"),
    "quantized": Look("RNN, quantized", "#f89c20", "-", "s", filled=False),
    "firmware": Look("RNN, firmware", "#e42536", (0, (3, 2)), "x"),  # type: ignore[arg-type]
}
_OTHERS = ("#7a21dd", "#9c9ca1")


def looks(names: list[str]) -> dict[str, Look]:
    """Give every reconstruction its look; unknown names get spare colours in turn."""
    spare = [name for name in names if name not in LOOKS]
    other = {name: Look(name, _OTHERS[k % len(_OTHERS)], "-", "D") for k, name in enumerate(spare)}
    return {name: LOOKS.get(name) or other[name] for name in names}


@contextmanager
def drawing() -> Iterator[None]:
    """Apply the style within a block, whatever matplotlibrc says."""
    with matplotlib.style.context(["default", _RC]):
        yield


def data_label(axes: Axes, label: str) -> None:
    """Write the label of the data set above the frame, where it hides no point."""
    # The label is the user's text: a dollar sign in it must not start a formula.
    axes.set_title(label, loc="left", fontsize=10.5, fontweight="bold", parse_math=False)


def note(axes: Axes, text: str) -> None:
    """Write a line inside the frame, at its upper left corner."""
    axes.annotate(text, (0.03, 0.95), xycoords="axes fraction", va="top")


def headroom(axes: Axes, factor: float) -> None:
    """Stretch the y axis upwards by a factor (of its length), for a legend."""
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log":
        axes.set_ylim(low, low * (high / low) ** factor)
    else:
        axes.set_ylim(low, low + (high - low) * factor)


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure atomically as PNG, without a date or the name of the software."""
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
