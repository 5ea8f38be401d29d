"""Run contenders in turn, each in a fresh process, and report ratios with their spread."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def machine() -> str:
    """Describe what the figures were measured on."""
    packages = ("tensorflow-cpu", "keras", "qkeras", "keras-tuner", "numpy")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {python}; {versions}"


def report(**figures: float) -> None:
    """Print a contender's figures and its peak memory, for `alternate` to read."""
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("RESULT " + json.dumps({**figures, "peak_mb": peak_mb}), flush=True)


def contender(module: str, *arguments: str) -> dict[str, float]:
    """Run one contender in a process of its own and return what it reported."""
    result = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
    )
    for line in result.stdout.splitlines():
        if line.startswith("RESULT "):
            figures: dict[str, float] = json.loads(line.removeprefix("RESULT "))
            return figures
    raise RuntimeError(f"{module} {' '.join(arguments)} reported nothing:\n{result.stderr[-2000:]}")


def alternate(
    contenders: Mapping[str, Callable[[int], dict[str, float]]], repeats: int
) -> dict[str, list[dict[str, float]]]:
    """Run all contenders in turn, so that a noisy machine is noisy for all.

    Each is called with the number of the repeat, to be used as a seed.
    """
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for repeat in range(repeats):
        for name, run in contenders.items():
            figures = run(repeat)
            found[name].append(figures)
            shown = ", ".join(f"{key} {value:.4g}" for key, value in figures.items())
            print(f"  {repeat + 1}/{repeats} {name}: {shown}", file=sys.stderr, flush=True)
    return found


def spread(values: Sequence[float]) -> str:
    """Return median [min, max]."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.3g} [{low:.3g}, {high:.3g}]"


def ratio_row(
    title: str, key: str, found: Mapping[str, list[dict[str, Any]]], stock: str, ours: str
) -> str:
    """Return one Markdown row: stock, ours and the ratio of each pair of neighbours."""
    a = [figures[key] for figures in found[stock]]
    b = [figures[key] for figures in found[ours]]
    ratios = [x / y for x, y in zip(a, b, strict=True)]
    return f"| {title} | {spread(a)} | {spread(b)} | {spread(ratios)} |"


HEADER = "| figure | stock | ours | stock / ours |\n| --- | ---: | ---: | ---: |"
