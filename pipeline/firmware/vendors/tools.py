"""The vendors' own tools, where they are on ``PATH``: run with a limit, reports parsed.

A tool that is missing, or that fails, is one line and no failure of the stage: its figures
are beside the open tools', not instead of them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts.design import RtlDesign
from pipeline.base.environment import vendor_environment
from pipeline.base.errors import PipelineError
from pipeline.firmware.processes import copied, run_tool
from pipeline.firmware.rtl.project import verilog_files
from pipeline.firmware.vendors.reports import parse_csynth, parse_quartus, parse_vivado

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # not an option of a Tcl command, either


class VendorToolError(PipelineError):
    """A name that must not reach a Tcl script, or a tool that failed."""


@dataclass(frozen=True)
class VendorRun:
    """One tool: figures by name, none if it did not run, and one line for people."""

    tool: str
    figures: dict[str, float]
    line: str


def check_parts(*parts: str) -> None:
    """Refuse a device whose name could be more than a name in Tcl.

    Raises
    ------
    VendorToolError
        Naming the part.
    """
    for part in parts:
        if not _NAME.fullmatch(part):
            raise VendorToolError(f"part: expected {_NAME.pattern}, found {part!r}")


@dataclass(frozen=True)
class VendorProjects:
    """What the vendors' tools build, and for which devices.

    Attributes
    ----------
    design, rtl
        The RTL's description, and its directory.
    hls, oneapi
        The HLS projects for AMD and for oneAPI.
    amd_part, intel_part
        Devices; see `check_parts`.
    """

    design: RtlDesign
    rtl: Path
    hls: Path
    oneapi: Path
    amd_part: str
    intel_part: str


def run_vendor_tools(projects: VendorProjects, work: Path, timeout_s: float) -> list[VendorRun]:
    """Run Vitis HLS and icpx on the C++, Vivado and Quartus on the streaming core.

    Parameters
    ----------
    projects
        What is built.
    work
        A new directory; the projects are copied into it.
    timeout_s
        Seconds for each tool.

    Raises
    ------
    VendorToolError
        For a part that could be more than a name in Tcl; before anything is run.
    """
    check_parts(projects.amd_part, projects.intel_part)
    design, rtl = projects.design, projects.rtl
    work.mkdir(parents=True)
    names = copied(verilog_files(rtl, stream=True), work)
    copied([rtl / f"{design.top}.xdc", rtl / f"{design.top}.sdc"], work)
    (work / "vivado.tcl").write_text(_vivado_tcl(design, names, projects.amd_part))
    (work / "quartus.tcl").write_text(_quartus_tcl(design, names, projects.intel_part))
    return [
        _vitis(projects.hls, work / "hls", timeout_s),
        _vivado(design, work, timeout_s),
        _quartus(design, work, timeout_s),
        _oneapi(projects.oneapi, work / "oneapi", timeout_s),
    ]


def _vitis(hls: Path, work: Path, timeout_s: float) -> VendorRun:
    commands = {
        "vitis-run": ["vitis-run", "--tcl", "build_prj.tcl", "--mode", "hls"],
        "vitis_hls": ["vitis_hls", "-f", "build_prj.tcl"],
    }
    tool = next((name for name in commands if shutil.which(name)), None)
    if tool is None:
        return VendorRun("Vitis HLS", {}, f"Vitis HLS: not on PATH ({', '.join(commands)})")
    shutil.copytree(hls, work)
    if problem := _run(commands[tool], work, timeout_s):
        return VendorRun("Vitis HLS", {}, f"Vitis HLS: {problem}")
    reports = sorted(work.rglob("csynth.xml"))
    if not reports:
        return VendorRun("Vitis HLS", {}, "Vitis HLS: ran, but wrote no csynth.xml")
    return _parsed("Vitis HLS", lambda: parse_csynth(reports[0].read_text()))


def _vivado(design: RtlDesign, work: Path, timeout_s: float) -> VendorRun:
    if shutil.which("vivado") is None:
        return VendorRun("Vivado", {}, "Vivado: not on PATH (vivado)")
    if problem := _run(["vivado", "-mode", "batch", "-source", "vivado.tcl"], work, timeout_s):
        return VendorRun("Vivado", {}, f"Vivado: {problem}")
    return _parsed(
        "Vivado",
        lambda: parse_vivado(
            (work / "utilization.rpt").read_text(),
            (work / "timing.rpt").read_text(),
            design.clock_period_ns,
        ),
    )


def _quartus(design: RtlDesign, work: Path, timeout_s: float) -> VendorRun:
    if shutil.which("quartus_sh") is None:
        return VendorRun("Quartus", {}, "Quartus: not on PATH (quartus_sh)")
    for command in (
        ["quartus_sh", "-t", "quartus.tcl"],
        ["quartus_sh", "--flow", "compile", design.top],
    ):
        if problem := _run(command, work, timeout_s):
            return VendorRun("Quartus", {}, f"Quartus: {problem}")
    return _parsed(
        "Quartus",
        lambda: parse_quartus(
            (work / f"{design.top}.fit.rpt").read_text(),
            (work / f"{design.top}.sta.rpt").read_text(),
        ),
    )


def _oneapi(project: Path, work: Path, timeout_s: float) -> VendorRun:
    """Compile the emulation library; it is not loaded, since none could be tried."""
    missing = [tool for tool in ("icpx", "cmake") if shutil.which(tool) is None]
    if missing:
        return VendorRun("oneAPI", {}, f"oneAPI: not on PATH ({', '.join(missing)})")
    shutil.copytree(project, work)
    for command in (["cmake", "-B", "build"], ["cmake", "--build", "build", "--target", "lib"]):
        if problem := _run(command, work, timeout_s):
            return VendorRun("oneAPI", {}, f"oneAPI: {problem}")
    return VendorRun("oneAPI", {}, "oneAPI: compiled for emulation, not simulated")


def _parsed(tool: str, parse: Callable[[], dict[str, float]]) -> VendorRun:
    try:
        figures = parse()
    except (OSError, PipelineError) as error:
        return VendorRun(tool, {}, f"{tool}: ran, but its report cannot be used: {error}")
    shown = ", ".join(f"{name} {value:g}" for name, value in figures.items())
    return VendorRun(tool, figures, f"{tool}: {shown}")


def _run(command: Sequence[str], work: Path, timeout_s: float) -> str:
    """Run a tool; return what went wrong, or nothing."""
    try:
        run_tool(command[0], command, work, timeout_s, VendorToolError, vendor_environment())
    except VendorToolError as error:
        return str(error)
    return ""


def _vivado_tcl(design: RtlDesign, names: Sequence[str], part: str) -> str:
    return (
        f"read_verilog -sv {{{' '.join(names)}}}\n"
        f"read_xdc {design.top}.xdc\n"
        f"synth_design -top {design.top}_stream -part {part} -mode out_of_context\n"
        "opt_design\nplace_design\nphys_opt_design\nroute_design\n"
        "report_utilization -file utilization.rpt\n"
        "report_timing_summary -file timing.rpt\n"
    )


def _quartus_tcl(design: RtlDesign, names: Sequence[str], part: str) -> str:
    lines = [
        f"project_new {design.top} -overwrite",
        f"set_global_assignment -name DEVICE {part}",
        f"set_global_assignment -name TOP_LEVEL_ENTITY {design.top}_stream",
        f"set_global_assignment -name SDC_FILE {design.top}.sdc",
        *(f"set_global_assignment -name VERILOG_FILE {name}" for name in names),
        "project_close",
    ]
    return "\n".join(lines) + "\n"
