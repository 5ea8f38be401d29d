"""Run contenders in turn, each in a fresh process, and report ratios with their spread."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEADER = "| figure | stock | ours | stock / ours |\n| --- | ---: | ---: | ---: |"
NOT_REACHED = "not reached"
NOT_MEASURED = "not measured"

Figures = dict[str, float | None]
"""What one contender reports; None stands for what it did not reach or cannot know."""


def machine() -> str:
    """Describe what the figures were measured on."""
    packages = ("tensorflow-cpu", "keras", "qkeras", "keras-tuner", "numpy")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    python = platform.python_version()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {python}; {versions}; "
        f"load before the start {load}"
    )


def report(**figures: float | None) -> None:
    """Print a contender's figures and its peak memory, for `contender` to read."""
    print("RESULT " + json.dumps({**figures, "peak_mb": peak_memory_mb()}), flush=True)


def peak_memory_mb() -> float:
    """Return the most memory that this program has had, as Linux counts it.

    Not that of `getrusage`, which includes what the process was before it became this
    program: a copy of the one that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) / 1024


def contender(module: str, *arguments: str) -> Figures:
    """Run one contender in a process of its own and return what it reported.

    Raises
    ------
    RuntimeError
        If it failed or reported nothing; with the end of what it wrote on stderr.
    """
    result = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    figures = reported(result.stdout)
    if result.returncode == 0 and figures is not None:
        return figures
    raise RuntimeError(
        f"{module} {' '.join(arguments)}: expected figures, found exit code {result.returncode}:\n"
        f"{result.stderr[-2000:]}"
    )


def reported(output: str) -> Figures | None:
    """Return the figures in what a contender printed, None without any."""
    for line in output.splitlines():
        if line.startswith("RESULT "):
            figures: Figures = json.loads(line.removeprefix("RESULT "))
            return figures
    return None


def alternate(
    contenders: Mapping[str, Callable[[int], Figures]], repeats: int
) -> dict[str, list[Figures]]:
    """Run all contenders in turn, so that a noisy machine is noisy for all.

    Each is called with the number of the repeat, to be used as a seed.
    """
    found: dict[str, list[Figures]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        for name, run in contenders.items():
            figures = run(repeat)
            found[name].append(figures)
            shown = ", ".join(f"{key} {_number(value)}" for key, value in figures.items())
            print(f"  {repeat + 1}/{repeats} {name}: {shown}", file=sys.stderr, flush=True)
    return found


def spread(values: Sequence[float | None], missing: str = NOT_MEASURED) -> str:
    """Return median [min, max] of the values that are there, and how many of all they are."""
    known = [value for value in values if value is not None]
    if not known:
        return missing
    text = f"{statistics.median(known):.3g} [{min(known):.3g}, {max(known):.3g}]"
    return text if len(known) == len(values) else f"{text} ({len(known)} of {len(values)})"


def ratios(a: Sequence[float | None], b: Sequence[float | None]) -> list[float]:
    """Return a / b of the pairs in which both sides have a figure."""
    return [x / y for x, y in zip(a, b, strict=True) if x is not None and y is not None]


def ratio_row(
    title: str, key: str, found: Mapping[str, list[Figures]], missing: str = NOT_MEASURED
) -> str:
    """Return one Markdown row: stock, ours and the ratio of each pair of neighbours.

    A pair of which one side has no figure enters no ratio; the row says how many do.
    """
    stock, ours = ([figures[key] for figures in found[side]] for side in ("stock", "ours"))
    paired = ratios(stock, ours)
    text = spread(paired) if paired else "no pair"
    if 0 < len(paired) < len(stock):
        text += f" ({len(paired)} of {len(stock)} pairs)"
    return f"| {title} | {spread(stock, missing)} | {spread(ours, missing)} | {text} |"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
