"""Reports of the vendors' tools as numbers.

No such tool was at hand. The formats are those that two parsers read which have met real
reports, hls4ml's and da4ml's; the tests read the same texts with them and with these.
What a report does not say is an error, never 0.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from pipeline.base.errors import PipelineError
from pipeline.base.units import NS_TIMES_MHZ

_LATENCY = "PerformanceEstimates/SummaryOfOverallLatency"
_TIMING = "PerformanceEstimates/SummaryOfTimingAnalysis"
_AREA = "AreaEstimates/Resources"


class VendorReportError(PipelineError):
    """A report without a figure that it should have."""


def parse_csynth(text: str) -> dict[str, float]:
    """Read ``csynth.xml`` of Vitis HLS: latency and interval in cycles, clock in ns, area.

    Raises
    ------
    VendorReportError
        Naming the figure that the report lacks.
    """
    try:
        root = ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError as error:
        raise VendorReportError(f"Vitis HLS csynth.xml: {error}") from None
    return {
        "latency_cycles": _element(root, f"{_LATENCY}/Worst-caseLatency"),
        "initiation_interval": _element(root, f"{_LATENCY}/Interval-max"),
        "clock_ns": _element(root, f"{_TIMING}/EstimatedClockPeriod"),
        "lut": _element(root, f"{_AREA}/LUT"),
        "ff": _element(root, f"{_AREA}/FF"),
        "dsp": _element(root, f"{_AREA}/DSP", f"{_AREA}/DSP48E"),  # the second up to 2020
        "bram": _element(root, f"{_AREA}/BRAM_18K"),
    }


def parse_vivado(utilization: str, timing: str, clock_period_ns: float) -> dict[str, float]:
    """Read ``report_utilization`` and ``report_timing_summary`` of Vivado.

    The highest clock follows from the worst slack at `clock_period_ns`.

    Raises
    ------
    VendorReportError
        Naming the figure that a report lacks.
    """
    slack = re.search(
        r"WNS\(ns\).*?\n[ \t]*-[- \t]*\n[ \t]*(-?[0-9]+(?:\.[0-9]+)?)", timing, re.DOTALL
    )
    if slack is None:
        raise VendorReportError("Vivado report_timing_summary: no worst negative slack (WNS)")
    return {
        "lut": _used(utilization, r"(?:CLB|Slice) LUTs\*?"),
        "ff": _used(utilization, r"(?:CLB|Slice) Registers"),
        "dsp": _used(utilization, r"DSPs"),
        "bram": _used(utilization, r"Block RAM Tile"),
        "fmax_mhz": NS_TIMES_MHZ / (clock_period_ns - float(slack.group(1))),
    }


def parse_quartus(fit: str, timing: str) -> dict[str, float]:
    """Read the fitter's report and the timing analyser's ``Fmax Summary`` of Quartus.

    ``fmax_mhz`` is what the paths allow, ``restricted_fmax_mhz`` what the device allows as
    well (its clock network, minimum pulse widths): the design can run at no more. Both are
    those of the worst of the report's models.

    Raises
    ------
    VendorReportError
        Naming the figure that a report lacks.
    """
    clocks = re.findall(
        r"^;\s*([0-9]+(?:\.[0-9]+)?) MHz\s*;\s*([0-9]+(?:\.[0-9]+)?) MHz\s*;", timing, re.MULTILINE
    )
    if "Restricted Fmax" not in timing or not clocks:
        raise VendorReportError("Quartus sta.rpt: no table of Fmax and Restricted Fmax in MHz")
    return {
        "alm": _summary(fit, r"Logic utilization \(in ALMs\)"),
        "ff": _summary(fit, r"Total (?:dedicated logic )?registers"),
        "dsp": _summary(fit, r"Total DSP Blocks"),
        "bram": _summary(fit, r"Total RAM Blocks"),
        "fmax_mhz": min(float(fmax) for fmax, _ in clocks),
        "restricted_fmax_mhz": min(float(restricted) for _, restricted in clocks),
    }


def _element(root: ElementTree.Element, *paths: str) -> float:
    """Return the number in the first element that is there."""
    for path in paths:
        text = root.findtext(path)
        if text is not None:
            return _number(text, path, "Vitis HLS csynth.xml")
    raise VendorReportError(f"Vitis HLS csynth.xml: no {paths[0]}")


def _used(text: str, name: str) -> float:
    """Second column of a table's row, between bars."""
    report = "Vivado report_utilization"
    row = re.search(rf"^\|\s*{name}\s*\|\s*([^|]*?)\s*\|", text, re.MULTILINE)
    if row is None:
        raise VendorReportError(f"{report}: no row {name}")
    return _number(row.group(1), name, report)


def _summary(text: str, name: str) -> float:
    """Value of a row ``; name ; 1,234 / 5,678 ( 1 % ) ;``."""
    report = "Quartus fit.rpt"
    row = re.search(rf"^;\s*{name}\s*;\s*([0-9,]+)", text, re.MULTILINE)
    if row is None:
        raise VendorReportError(f"{report}: no row {name}")
    return _number(row.group(1).replace(",", ""), name, report)


def _number(text: str, name: str, report: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise VendorReportError(f"{report}: {name} is no number: {text!r}") from None
