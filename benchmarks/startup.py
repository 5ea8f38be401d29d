"""Start-up: what each stage imports and how long it takes; DVC with nothing to do.

``python -m benchmarks.startup [--repeats N]``
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import yaml

from benchmarks.compare import machine, spread

_PROBE = "import sys, {module}; print('tensorflow' in sys.modules)"


def seconds_of(*command: str) -> tuple[float, str]:
    """Run a command; return its wall time and its output."""
    start = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, result.stdout.strip()


def main() -> None:
    """Print a table of stages and DVC commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    print(f"{machine()}; {repeats} repeats\n")
    print("| command | seconds | imports TensorFlow at the top |\n| --- | ---: | --- |")
    for stage in stages:
        probe = _PROBE.format(module=f"pipeline.{stage}")
        runs = [seconds_of(sys.executable, "-c", probe) for _ in range(repeats)]
        loads = "yes" if runs[0][1] == "True" else "no"
        print(f"| import of {stage} | {spread([run[0] for run in runs])} | {loads} |", flush=True)
    for arguments in (("repro",), ("exp", "show", "--csv"), ("metrics", "show")):
        runs = [seconds_of(sys.executable, "-m", "dvc", *arguments) for _ in range(repeats)]
        times = spread([run[0] for run in runs])
        print(f"| dvc {' '.join(arguments)} | {times} | - |", flush=True)


if __name__ == "__main__":
    main()
