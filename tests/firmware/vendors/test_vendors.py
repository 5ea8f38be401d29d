"""The vendors' reports, read by two more parsers, and their tools, made up."""

import pytest

from pipeline.firmware.rtl.project import write_rtl
from pipeline.firmware.vendors.reports import (
    VendorReportError,
    parse_csynth,
    parse_quartus,
    parse_vivado,
)
from pipeline.firmware.vendors.tools import (
    VendorProjects,
    VendorToolError,
    run_vendor_tools,
)
from tests.firmware.sections import rtl_params
from tests.firmware.vendors.report_texts import CSYNTH, FIT, STA, STA_SLOW, TIMING, UTILIZATION
from tests.integers.networks import random_network


def test_reports_are_read():
    assert parse_csynth(CSYNTH) == {
        "latency_cycles": 21.0,
        "initiation_interval": 2.0,
        "clock_ns": 2.281,
        "lut": 9000.0,
        "ff": 3000.0,
        "dsp": 7.0,
        "bram": 4.0,
    }
    expected = {"lut": 4565.0, "ff": 3570.0, "dsp": 3.0, "bram": 1.5, "fmax_mhz": 1000 / 3}
    assert parse_vivado(UTILIZATION, TIMING, 2.5) == expected
    expected = {"alm": 3210.0, "ff": 6423.0, "dsp": 5.0, "bram": 2.0, "fmax_mhz": 512.5}
    expected |= {"restricted_fmax_mhz": 445.0}
    assert parse_quartus(FIT, STA) == expected


def test_older_names_of_dsps_and_luts():
    assert parse_csynth(CSYNTH.replace("DSP>", "DSP48E>"))["dsp"] == 7.0
    older = UTILIZATION.replace("CLB LUTs* ", "Slice LUTs").replace("CLB Reg", "Slice Reg")
    assert parse_vivado(older, TIMING, 2.5)["lut"] == 4565.0
    assert parse_vivado(older, TIMING, 2.5)["ff"] == 3570.0


def test_hls4ml_reads_the_same_of_vitis_and_vivado(tmp_path):
    from hls4ml.report.vivado_report import parse_vivado_report

    report = tmp_path / "cell_rnn_prj" / "solution1" / "syn" / "report"
    report.mkdir(parents=True)
    (tmp_path / "project.tcl").write_text('set project_name "cell_rnn"\nset backend "vitis"\n')
    (tmp_path / "cell_rnn_prj" / "hls.app").write_text(
        '<project xmlns="com.autoesl.autopilot.project" name="cell_rnn_prj"><solutions>'
        '<solution name="solution1" status=""/></solutions></project>'
    )
    (report / "cell_rnn_csynth.xml").write_text(CSYNTH)
    (tmp_path / "vivado_synth.rpt").write_text(UTILIZATION)
    theirs = parse_vivado_report(str(tmp_path))
    hls = {key: float(value) for key, value in theirs["CSynthesisReport"].items()}
    assert parse_csynth(CSYNTH) == {
        "latency_cycles": hls["WorstLatency"],
        "initiation_interval": hls["IntervalMax"],
        "clock_ns": hls["EstimatedClockPeriod"],
        "lut": hls["LUT"],
        "ff": hls["FF"],
        "dsp": hls["DSP"],
        "bram": hls["BRAM_18K"],
    }
    synthesis = {key: float(value) for key, value in theirs["VivadoSynthReport"].items()}
    ours = parse_vivado(UTILIZATION, TIMING, 2.5)
    assert ours["lut"] == synthesis["LUT"]
    assert ours["ff"] == synthesis["FF"]
    assert ours["dsp"] == synthesis["DSP48E"]
    assert ours["bram"] == synthesis["BRAM_18K"]


def test_da4ml_reads_the_same_of_vivado_and_quartus():
    from da4ml._cli import report

    area = report.parse_utilization_vivado(UTILIZATION)
    slack = report.parse_timing_summary_vivado(TIMING)["WNS(ns)"]
    assert parse_vivado(UTILIZATION, TIMING, 2.5) == {
        "lut": area["LUT"],
        "ff": area["FF"],
        "dsp": area["DSP"],
        "bram": area["RAMB36/FIFO*"] + area["RAMB18"] / 2,
        "fmax_mhz": 1000.0 / (2.5 - slack),
    }
    area = report.parse_utilization_quartus(FIT)
    timing = report.parse_timing_quartus(STA_SLOW)  # of several models it takes the first
    assert parse_quartus(FIT, STA_SLOW) == {
        "alm": area["ALM"],
        "ff": area["Registers"],
        "dsp": area["DSP"],
        "bram": area["RAM Blocks"],
        "fmax_mhz": timing["Fmax(MHz)"],
        "restricted_fmax_mhz": timing["Restricted Fmax(MHz)"],
    }


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        (lambda: parse_csynth("<profile/>"), "csynth.xml: no PerformanceEstimates/"),
        (lambda: parse_csynth("no XML"), "csynth.xml: syntax error"),
        (lambda: parse_csynth(CSYNTH.replace("FF>", "XX>")), "csynth.xml: no AreaEstimates/.*/FF"),
        (lambda: parse_csynth(CSYNTH.replace(">21<", ">undef<")), "no number: 'undef'"),
        (lambda: parse_vivado(UTILIZATION, "", 2.5), "WNS"),
        (lambda: parse_vivado("", TIMING, 2.5), "no row"),
        (lambda: parse_quartus("", STA), "fit.rpt: no row"),
        (lambda: parse_quartus(FIT, ""), "no table of Fmax"),
        (lambda: parse_quartus(FIT, "input clock 100 MHz"), "no table of Fmax"),
        (lambda: parse_quartus(FIT, STA.replace("Restricted", "")), "Restricted Fmax"),
    ],
)
def test_a_report_without_a_figure_is_an_error(parse, message):
    with pytest.raises(VendorReportError, match=message):
        parse()


@pytest.fixture
def project(tmp_path):
    network = random_network(5, 1, 2)
    design = write_rtl(network, rtl_params(clock_period_ns=2.5), tmp_path / "rtl")
    (tmp_path / "hls").mkdir()
    (tmp_path / "hls" / "build_prj.tcl").touch()
    (tmp_path / "oneapi").mkdir()
    (tmp_path / "oneapi" / "CMakeLists.txt").touch()
    return design, tmp_path


def run(project, part="xcvu9p-flga2577-2-e", timeout_s=20.0):
    design, path = project
    rtl, hls, oneapi = (path / name for name in ("rtl", "hls", "oneapi"))
    projects = VendorProjects(design, rtl, hls, oneapi, part, "1SG280HU2F50E2VG")
    return run_vendor_tools(projects, path / "work", timeout_s)


def put(path, name: str, script: str) -> None:
    (path / "bin").mkdir(exist_ok=True)
    tool = path / "bin" / name
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def test_absent_tools_are_one_line_each(project, monkeypatch):
    monkeypatch.setenv("PATH", str(project[1] / "nowhere"))
    runs = run(project)
    assert [run.figures for run in runs] == [{}] * 4
    assert all("not on PATH" in run.line for run in runs)


def test_tools_are_run_and_their_reports_read(project, monkeypatch):
    path = project[1]
    for name, text in (("c", CSYNTH), ("u", UTILIZATION), ("t", TIMING), ("f", FIT), ("s", STA)):
        (path / name).write_text(text)
    put(path, "vitis-run", f"cp {path}/c csynth.xml")
    put(path, "vivado", f"cp {path}/u utilization.rpt; cp {path}/t timing.rpt")
    put(path, "quartus_sh", f"cp {path}/f cell_rnn.fit.rpt; cp {path}/s cell_rnn.sta.rpt")
    monkeypatch.setenv("PATH", f"{path}/bin:/usr/bin:/bin")
    put(path, "icpx", "exit 0")
    put(path, "cmake", f"test -f CMakeLists.txt && echo $* >> {path}/cmake.log")
    vitis, vivado, quartus, oneapi = run(project)
    assert (path / "cmake.log").read_text() == "-B build\n--build build --target lib\n"
    assert oneapi.line == "oneAPI: compiled for emulation, not simulated"
    assert vitis.figures["latency_cycles"] == 21
    assert vivado.figures["fmax_mhz"] == pytest.approx(1000 / 3)
    assert (
        quartus.line
        == "Quartus: alm 3210, ff 6423, dsp 5, bram 2, fmax_mhz 512.5, restricted_fmax_mhz 445"
    )
    script = (path / "work" / "vivado.tcl").read_text()
    assert "synth_design -top cell_rnn_stream -part xcvu9p-flga2577-2-e" in script


@pytest.mark.slow
def test_tools_that_fail_or_hang_leave_a_line(project, monkeypatch):
    path = project[1]
    put(path, "vitis_hls", "echo 'ERROR: [HLS 1] no licence'; exit 3")
    put(path, "vivado", "sleep 20")
    put(path, "quartus_sh", "exit 0")
    put(path, "icpx", "exit 0")
    put(path, "cmake", "echo 'CMake Error: no generator'; exit 1")
    monkeypatch.setenv("PATH", f"{path}/bin:/usr/bin:/bin")
    lines = [run.line for run in run(project, timeout_s=4.0)]
    assert lines[0] == (
        "Vitis HLS: vitis_hls failed with exit code 3: ERROR: [HLS 1] no licence; "
        "all of it: logs/tools/vitis-hls.log"
    )
    assert lines[1] == "Vivado: vivado took longer than 4 s"
    assert "its report cannot be used" in lines[2]
    assert lines[3] == (
        "oneAPI: cmake failed with exit code 1: CMake Error: no generator; "
        "all of it: logs/tools/cmake.log"
    )


@pytest.mark.parametrize("part", ["xcvu9p; exec rm", "-help", "", "a b", "a\n"])
def test_a_part_that_is_no_name_runs_nothing(project, part):
    with pytest.raises(VendorToolError, match="part"):
        run(project, part=part)
    assert not (project[1] / "work").exists()
