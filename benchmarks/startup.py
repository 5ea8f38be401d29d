"""Start-up: what each stage imports and how long it takes; DVC with nothing to do.

``python -m benchmarks.startup [--repeats N] [--no-dvc]``

A stage imports the heavy packages only once its parameters and inputs are known good. Both
are measured, each in a fresh interpreter: what stands at the top of the script, which is
what a wrong parameter costs, and with it what the functions of the script import. (hls4ml and
Yosys are loaded later still, by the modules that use them.)
``dvc repro`` is only timed where DVC says that nothing has changed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import yaml

from benchmarks.compare import ROOT, machine, spread

HEAVY = ("tensorflow", "qkeras", "keras_tuner", "hls4ml", "pandas", "uproot", "matplotlib", "grpc")
_PROBE = "import json, sys\n{imports}\nprint(json.dumps([n for n in {heavy} if n in sys.modules]))"
DVC = (("status",), ("repro",), ("exp", "show", "--csv"), ("metrics", "show"))


def imports_of(source: str, top_only: bool) -> str:
    """Return the import statements of a module, one a line.

    Parameters
    ----------
    source
        Python.
    top_only
        Leave out those inside functions.
    """
    tree = ast.parse(source)
    nodes = tree.body if top_only else ast.walk(tree)
    found = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(ast.unparse(node) for node in found if not _of_future(node))


def _of_future(node: ast.Import | ast.ImportFrom) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def probe(imports: str) -> tuple[float, list[str]]:
    """Import in a fresh interpreter; return its wall time in s and the heavy packages loaded."""
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _PROBE.format(imports=imports, heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    seconds = time.perf_counter() - start
    loaded: list[str] = json.loads(result.stdout.splitlines()[-1])
    return seconds, loaded


def stage_rows(stage: str, repeats: int) -> list[str]:
    """Return two table rows for a stage: the top of its script, and all of it."""
    source = (ROOT / "pipeline" / f"{stage}.py").read_text(encoding="utf-8")
    rows = []
    for title, top_only in (("top of the script", True), ("all that it imports", False)):
        runs = [probe(imports_of(source, top_only)) for _ in range(repeats)]
        seconds = spread([run[0] for run in runs])
        rows.append(f"| {stage}: {title} | {seconds} | {', '.join(runs[0][1]) or '-'} |")
    return rows


def dvc_seconds(arguments: Sequence[str]) -> float:
    """Return the wall time of a DVC command, s."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, check=True)
    return time.perf_counter() - start


def nothing_to_do() -> bool:
    """Whether ``dvc repro`` would run no stage."""
    status = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(status.stdout) == {}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of stages and DVC commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stages", nargs="*", help="all of dvc.yaml unless said")
    parser.add_argument("--no-dvc", action="store_true", help="leave DVC's commands out")
    options = parser.parse_args(arguments)
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    print(f"{machine()}; {options.repeats} repeats\n")
    print("| command | seconds | heavy packages |\n| --- | ---: | --- |")
    print(f"| python, nothing imported | {spread([probe('')[0]])} | - |", flush=True)
    for stage in options.stages or graph["stages"]:
        print("\n".join(stage_rows(stage, options.repeats)), flush=True)
    if options.no_dvc:
        return
    idle = nothing_to_do()
    for command in DVC:
        name = f"dvc {' '.join(command)}"
        if command == ("repro",) and not idle:
            print(f"| {name} | not measured: something has changed | - |", flush=True)
            continue
        seconds = spread([dvc_seconds(command) for _ in range(options.repeats)])
        print(f"| {name} | {seconds} | - |", flush=True)


if __name__ == "__main__":
    main()
