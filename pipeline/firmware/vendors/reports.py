"""Reports of the vendors' tools as numbers.

The formats are those that the vendors document; no such tool was at hand, so the tests
use small reports written by hand. What a report does not say is an error, never 0.
"""

from __future__ import annotations

import re

from pipeline.base.errors import PipelineError
from pipeline.base.units import NS_TIMES_MHZ


class VendorReportError(PipelineError):
    """A report without a figure that it should have."""


def parse_vitis_csynth(text: str) -> dict[str, float]:
    """Read ``csynth.xml`` of Vitis HLS: latency and interval in cycles, clock in ns, area.

    Raises
    ------
    VendorReportError
        Naming the figure that the report lacks.
    """
    report = "Vitis HLS csynth.xml"
    area = _section(text, "AreaEstimates", report)
    resources = _section(area, "Resources", report)
    return {
        "latency_cycles": _tag(text, "Worst-caseLatency", report),
        "initiation_interval": _tag(text, "Interval-max", report),
        "clock_ns": _tag(text, "EstimatedClockPeriod", report),
        "lut": _tag(resources, "LUT", report),
        "ff": _tag(resources, "FF", report),
        "dsp": _tag(resources, "DSP", report),
        "bram": _tag(resources, "BRAM_18K", report),
    }


def parse_vivado(utilization: str, timing: str, clock_period_ns: float) -> dict[str, float]:
    """Read ``report_utilization`` and ``report_timing_summary`` of Vivado.

    The highest clock follows from the worst slack at `clock_period_ns`.

    Raises
    ------
    VendorReportError
        Naming the figure that a report lacks.
    """
    report = "Vivado report_utilization"
    slack = re.search(
        r"WNS\(ns\).*?\n[ \t]*-[- \t]*\n[ \t]*(-?[0-9]+(?:\.[0-9]+)?)", timing, re.DOTALL
    )
    if slack is None:
        raise VendorReportError("Vivado report_timing_summary: no worst negative slack (WNS)")
    return {
        "lut": _row(utilization, r"(?:CLB|Slice) LUTs\*?", "|", report),
        "ff": _row(utilization, r"(?:CLB|Slice) Registers", "|", report),
        "dsp": _row(utilization, r"DSPs", "|", report),
        "bram": _row(utilization, r"Block RAM Tile", "|", report),
        "fmax_mhz": NS_TIMES_MHZ / (clock_period_ns - float(slack.group(1))),
    }


def parse_quartus(fit: str, timing: str) -> dict[str, float]:
    """Read the fitter's summary and the timing analyser's ``Fmax Summary`` of Quartus.

    ``fmax_mhz`` is what the paths allow, ``restricted_fmax_mhz`` what the device allows as
    well (its clock network, minimum pulse widths): the design can run at no more. Both are
    those of the worst of the report's models.

    Raises
    ------
    VendorReportError
        Naming the figure that a report lacks.
    """
    report = "Quartus fit.summary"
    clocks = re.findall(
        r"^;\s*([0-9]+(?:\.[0-9]+)?) MHz\s*;\s*([0-9]+(?:\.[0-9]+)?) MHz\s*;", timing, re.MULTILINE
    )
    if "Restricted Fmax" not in timing or not clocks:
        raise VendorReportError("Quartus sta.rpt: no table of Fmax and Restricted Fmax in MHz")
    return {
        "alm": _summary(fit, r"Logic utilization \(in ALMs\)", report),
        "ff": _summary(fit, r"Total (?:dedicated logic )?registers", report),
        "dsp": _summary(fit, r"Total DSP Blocks", report),
        "bram": _summary(fit, r"Total RAM Blocks", report),
        "fmax_mhz": min(float(fmax) for fmax, _ in clocks),
        "restricted_fmax_mhz": min(float(restricted) for _, restricted in clocks),
    }


def _section(text: str, tag: str, report: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    if found is None:
        raise VendorReportError(f"{report}: no <{tag}>")
    return found.group(1)


def _tag(text: str, tag: str, report: str) -> float:
    return _number(_section(text, tag, report), f"<{tag}>", report)


def _row(text: str, name: str, bar: str, report: str) -> float:
    """Second column of a table's row."""
    edge = re.escape(bar)
    found = re.search(rf"^{edge}\s*{name}\s*{edge}\s*([^|]*?)\s*{edge}", text, re.MULTILINE)
    if found is None:
        raise VendorReportError(f"{report}: no row {name}")
    return _number(found.group(1), name, report)


def _summary(text: str, name: str, report: str) -> float:
    """Value of a line ``name : 1,234 / 5,678 ( 1 % )``."""
    found = re.search(rf"^;?\s*{name}\s*[:;]\s*([0-9,]+)", text, re.MULTILINE)
    if found is None:
        raise VendorReportError(f"{report}: no line {name}")
    return _number(found.group(1).replace(",", ""), name, report)


def _number(text: str, name: str, report: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise VendorReportError(f"{report}: {name} is no number: {text!r}") from None
