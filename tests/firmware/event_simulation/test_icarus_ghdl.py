"""How windows reach a simulator, and how its energies are compared; with one made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.firmware.event_simulation import icarus_ghdl
from pipeline.firmware.event_simulation.icarus_ghdl import WrittenNetwork, check_event_simulators
from pipeline.integers import golden
from pipeline.integers.compare import MismatchError
from tests.firmware.sections import rtl_design
from tests.integers.networks import fixed, random_network

NETWORK = random_network(5, 3, 3, output=fixed(8, 4))
INTEGERS = np.random.default_rng(1).integers(-2048, 2048, (20, 3))
LATENCY = 4


def rtl() -> WrittenNetwork:
    of = NETWORK.layers[-1].activation
    design = rtl_design(window_length=3, energy_bits=of.bits, stages=3, latency_cycles=LATENCY)
    return WrittenNetwork(NETWORK, design, Path("unused"))


def simulator(monkeypatch, wrong: int | None = None) -> None:
    """Stand in for Icarus: read the bench's windows, print what the golden model says."""
    bits = NETWORK.layers[-1].activation.bits

    def simulate(design, directory, work, n_windows):
        rows = (work / "windows.txt").read_text().split()
        samples = [[int(row[place : place + 12], 2) for place in (24, 12, 0)] for row in rows]
        windows = (np.array(samples) ^ 2048) - 2048
        energies = golden.evaluate_integers(NETWORK, windows)
        if wrong is not None:
            energies[wrong] ^= 1
        assert n_windows == len(windows)
        late = ["E" + "x" * bits] * (LATENCY - 1)
        return "\n".join([*late, *(f"E{energy % (1 << bits):0{bits}b}" for energy in energies)])

    monkeypatch.setattr(icarus_ghdl, "_icarus", simulate)
    monkeypatch.setattr(icarus_ghdl.shutil, "which", lambda tool: tool == "iverilog" or None)


def test_windows_and_energies_keep_their_order_and_sign(monkeypatch):
    simulator(monkeypatch)
    icarus, ghdl = check_event_simulators(rtl(), INTEGERS)
    assert icarus == "icarus: 20 windows, 0 mismatches"
    assert ghdl == "ghdl: ghdl not on PATH, not simulated"
    assert check_event_simulators(rtl(), INTEGERS[:0])[0].startswith("icarus: no windows asked")


def test_a_wrong_energy_is_an_error_that_names_its_window(monkeypatch):
    simulator(monkeypatch, wrong=7)
    with pytest.raises(MismatchError, match=r"icarus differs from golden in 1 .*window 7:"):
        check_event_simulators(rtl(), INTEGERS)
