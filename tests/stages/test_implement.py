"""The stage ``implement`` on a tiny network: what it writes, and what it refuses."""

import json
from pathlib import Path

import pytest

from pipeline import implement
from pipeline.artifacts.design import DESIGN, RtlDesign
from pipeline.artifacts.implementation import IMPLEMENTATION, Implementation
from pipeline.base.errors import PipelineError
from pipeline.base.schema import read, write
from pipeline.firmware.rtl.project import write_rtl
from pipeline.firmware.synthesis import implementation
from pipeline.firmware.synthesis.implementation import family_metrics
from pipeline.firmware.vendors.tools import VendorRun
from pipeline.integers.compare import MismatchError
from tests.firmware.fake_tools import FakeTools
from tests.firmware.sections import rtl_params
from tests.integers.networks import fixed, random_network
from tests.workplace import (
    INTEGER_NETWORK,
    make_workplace,
    noise_splits,
    nothing_written,
    set_params,
)

NETWORK = random_network(5, 2, 2, weight=fixed(4, 1), sample=fixed(6, 3))
OUTPUTS = ("metrics/implement.json", "models/implementation.json", "logs/implement.txt")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_workplace(
        noise_splits((50, 51, 300), window_length=2),
        NETWORK,
        implement={"families": ["xcup"], "route": False, "netlist_windows": 200},
    )
    write_rtl(NETWORK, rtl_params(), Path("models/rtl"))


def test_figures_are_written(workplace, capsys):
    implement.main()
    metrics = json.loads(Path("metrics/implement.json").read_text())
    assert metrics["xcup"]["mismatches"] == 0
    assert metrics["xcup"]["lut"] > 0
    result = read(Implementation, IMPLEMENTATION)
    (xcup,) = result.families
    assert family_metrics(xcup) == metrics["xcup"]
    assert xcup.n_windows == 200
    assert result.design == read(RtlDesign, implement.RTL / DESIGN)
    assert "Vivado: not on PATH" in Path("logs/implement.txt").read_text()
    assert "Vivado: not on PATH" in capsys.readouterr().out


def test_what_a_vendors_tool_reports_changes_no_tracked_file(workplace, monkeypatch, capsys):
    written = []
    vivado = VendorRun("Vivado", {"lut": 4565.0, "fmax_mhz": 500.0}, "Vivado: lut 4565")
    for runs in ([], [vivado]):
        FakeTools(monkeypatch)
        monkeypatch.setattr(implement, "run_vendor_tools", lambda *_, runs=runs: runs)
        implement.main()
        written.append([Path(path).read_bytes() for path in OUTPUTS[:2]])
    assert written[0] == written[1]
    text = Path("logs/implement.txt").read_text()
    assert text == "Vivado: lut 4565\n"
    assert text in capsys.readouterr().out


def test_a_netlist_that_differs_writes_nothing(workplace, monkeypatch):
    def differs(*_, **__):
        raise MismatchError("netlist_xcup differs; first in window 3")

    FakeTools(monkeypatch)
    monkeypatch.setattr(implementation, "check_stream", differs)
    with pytest.raises(PipelineError, match="first in window 3"):
        implement.main()
    assert nothing_written(OUTPUTS)


def test_families_keep_the_order_of_the_parameters(workplace, monkeypatch):
    families = ["ecp5", "xcup"]
    FakeTools(monkeypatch)
    set_params(implement={"families": families, "route": True})
    implement.main()
    result = read(Implementation, IMPLEMENTATION)
    assert [one.name for one in result.families] == families
    metrics = json.loads(Path("metrics/implement.json").read_text())
    assert ["fmax_mhz" in metrics[family] for family in families] == [True, False]


def test_rtl_of_another_network_is_refused(workplace):
    write(INTEGER_NETWORK, random_network(5, 2, 3))
    with pytest.raises(PipelineError, match="the RTL has window_length 2, the network 3"):
        implement.main()
    assert nothing_written(OUTPUTS)
