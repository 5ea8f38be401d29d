"""The vendors' reports, written by hand from the documented formats, and fake tools."""

import pytest

from pipeline.firmware.rtl.project import write_rtl
from pipeline.firmware.vendors.reports import (
    VendorReportError,
    parse_quartus,
    parse_vitis_csynth,
    parse_vivado,
)
from pipeline.firmware.vendors.tools import VendorToolError, run_vendor_tools
from pipeline.reports.implementation import markdown
from tests.firmware.sections import rtl_params
from tests.integers.networks import random_network

CSYNTH = """<profile><PerformanceEstimates><SummaryOfTimingAnalysis>
<EstimatedClockPeriod>2.281</EstimatedClockPeriod></SummaryOfTimingAnalysis>
<SummaryOfOverallLatency><Best-caseLatency>20</Best-caseLatency>
<Worst-caseLatency>21</Worst-caseLatency><Interval-min>1</Interval-min>
<Interval-max>1</Interval-max></SummaryOfOverallLatency></PerformanceEstimates>
<AreaEstimates><Resources><BRAM_18K>0</BRAM_18K><DSP>7</DSP><FF>3000</FF><LUT>9000</LUT>
</Resources><AvailableResources><BRAM_18K>4320</BRAM_18K><LUT>1182240</LUT>
</AvailableResources></AreaEstimates></profile>"""
UTILIZATION = """1. CLB Logic
+----------------+------+-------+------------+-----------+-------+
|    Site Type   | Used | Fixed | Prohibited | Available | Util% |
+----------------+------+-------+------------+-----------+-------+
| CLB LUTs       | 4565 |     0 |          0 |   1182240 |  0.39 |
| CLB Registers  | 3570 |     0 |          0 |   2364480 |  0.15 |
| Block RAM Tile |  0.5 |     0 |          0 |      2160 |  0.02 |
| DSPs           |    0 |     0 |          0 |      6840 |  0.00 |
"""
TIMING = """| Design Timing Summary
    WNS(ns)      TNS(ns)  TNS Failing Endpoints
    -------      -------  ---------------------
      0.500        0.000                      0
"""
FIT = """Fitter Status : Successful
Logic utilization (in ALMs) : 3,210 / 933,120 ( < 1 % )
Total dedicated logic registers : 6423
Total RAM Blocks : 0 / 11,721 ( 0 % )
Total DSP Blocks : 0 / 5,760 ( 0 % )
"""
STA = """; Slow 900mV 100C Model Fmax Summary ;
; Fmax       ; Restricted Fmax ; Clock Name ;
; 512.5 MHz  ; 450.0 MHz       ; clk        ; limit due to minimum period restriction
; Slow 900mV 0C Model Fmax Summary ;
; Fmax       ; Restricted Fmax ; Clock Name ;
; 530.0 MHz  ; 445.0 MHz       ; clk        ; limit due to minimum period restriction
"""


def test_reports_are_read():
    assert parse_vitis_csynth(CSYNTH) == {
        "latency_cycles": 21.0,
        "initiation_interval": 1.0,
        "clock_ns": 2.281,
        "lut": 9000.0,
        "ff": 3000.0,
        "dsp": 7.0,
        "bram": 0.0,
    }
    expected = {"lut": 4565.0, "ff": 3570.0, "dsp": 0.0, "bram": 0.5, "fmax_mhz": 500.0}
    assert parse_vivado(UTILIZATION, TIMING, 2.5) == expected
    expected = {"alm": 3210.0, "ff": 6423.0, "dsp": 0.0, "bram": 0.0, "fmax_mhz": 512.5}
    expected |= {"restricted_fmax_mhz": 445.0}
    assert parse_quartus(FIT, STA) == expected


@pytest.mark.parametrize(
    ("parse", "message"),
    [
        (lambda: parse_vitis_csynth("<profile/>"), "no <AreaEstimates>"),
        (lambda: parse_vitis_csynth(CSYNTH.replace(">21<", ">undef<")), "no number: 'undef'"),
        (lambda: parse_vivado(UTILIZATION, "", 2.5), "WNS"),
        (lambda: parse_vivado("", TIMING, 2.5), "no row"),
        (lambda: parse_quartus("", STA), "no line"),
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
    return run_vendor_tools(
        design,
        path / "rtl",
        path / "hls",
        path / "oneapi",
        part,
        "1SG280HU2F50E2VG",
        path / "work",
        timeout_s,
    )


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
    put(path, "quartus_sh", f"cp {path}/f cell_rnn.fit.summary; cp {path}/s cell_rnn.sta.rpt")
    monkeypatch.setenv("PATH", f"{path}/bin:/usr/bin:/bin")
    put(path, "icpx", "exit 0")
    put(path, "cmake", f"test -f CMakeLists.txt && echo $* >> {path}/cmake.log")
    vitis, vivado, quartus, oneapi = run(project)
    assert (path / "cmake.log").read_text() == "-B build\n--build build --target lib\n"
    assert oneapi.line == "oneAPI: compiled for emulation, not simulated"
    assert vitis.figures["latency_cycles"] == 21
    assert vivado.figures["fmax_mhz"] == 500
    assert (
        quartus.line
        == "Quartus: alm 3210, ff 6423, dsp 0, bram 0, fmax_mhz 512.5, restricted_fmax_mhz 445"
    )
    report = markdown(
        project[0],
        [],
        {"energy_nj": 0.1, "validation_rmse_mev": 50.0},
        [vitis, oneapi, quartus],
        [],
    )
    assert "| Vitis HLS | 9000 |  | 3000 | 7 | 0 |  |  | 21 | 1 | 2.281 |" in report
    assert "| Quartus |  | 3210 | 6423 | 0 | 0 | 512.5 | 445 |  |  |  |" in report
    assert "| oneAPI |" not in report
    assert "- oneAPI: compiled for emulation" in report
    script = (path / "work" / "vivado.tcl").read_text()
    assert "synth_design -top cell_rnn_stream -part xcvu9p-flga2577-2-e" in script


def test_tools_that_fail_or_hang_leave_a_line(project, monkeypatch):
    path = project[1]
    put(path, "vitis_hls", "echo 'ERROR: [HLS 1] no licence'; exit 3")
    put(path, "vivado", "sleep 20")
    put(path, "quartus_sh", "exit 0")
    put(path, "icpx", "exit 0")
    put(path, "cmake", "echo 'CMake Error: no generator'; exit 1")
    monkeypatch.setenv("PATH", f"{path}/bin:/usr/bin:/bin")
    lines = [run.line for run in run(project, timeout_s=4.0)]
    assert lines[0] == "Vitis HLS: vitis_hls failed with exit code 3: ERROR: [HLS 1] no licence"
    assert lines[1] == "Vivado: vivado took longer than 4 s"
    assert "its report cannot be used" in lines[2]
    assert lines[3] == "oneAPI: cmake failed with exit code 1: CMake Error: no generator"


@pytest.mark.parametrize("part", ["xcvu9p; exec rm", "-help", "", "a b", "a\n"])
def test_a_part_that_is_no_name_runs_nothing(project, part):
    with pytest.raises(VendorToolError, match="part"):
        run(project, part=part)
    assert not (project[1] / "work").exists()
