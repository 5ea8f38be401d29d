"""The stage ``implement`` on a tiny network: what it writes, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline import implement
from pipeline.base.errors import PipelineError
from pipeline.base.files import write_json
from pipeline.base.schema import write
from pipeline.firmware.rtl.project import RtlOptions, write_rtl
from pipeline.firmware.synthesis import implementation
from pipeline.integers.compare import MismatchError
from pipeline.samples.prepared import Prepared, Split
from tests.firmware.fake_tools import FakeTools
from tests.imports import ROOT
from tests.integers.networks import fixed, random_network
from tests.samples.files import write_prepared

NETWORK = random_network(5, 2, 2, weight=fixed(4, 1), sample=fixed(6, 3))
PARAMS = ROOT / "params.yaml"
OUTPUTS = ("metrics/implement.json", "metrics/implement.md", "metrics/plots/implement/area.png")


def make_split(name: str, n_bc: int) -> Split:
    samples = np.random.default_rng(n_bc).normal(0, 8, n_bc).astype(np.float32)
    zeros = np.zeros(n_bc, np.float32)
    return Split(name, samples, zeros, zeros, zeros, 2, 2, 16.0)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = yaml.safe_load(PARAMS.read_text())
    params["implement"].update({"families": ["xcup"], "route": False, "netlist_windows": 200})
    Path("params.yaml").write_text(yaml.safe_dump(params))
    write(Path("models/integer.json"), NETWORK)
    write_rtl(NETWORK, RtlOptions("cell_rnn", 2, 2.0, 3), Path("models/rtl"))
    write_json(Path("metrics/finetune.json"), {"energy_nj": 0.1, "validation_rmse_mev": 50.0})
    splits = [make_split("train", 50), make_split("validation", 51), make_split("test", 300)]
    write_prepared(Path("data/prepared.h5"), Prepared(*splits))


def nothing_written() -> bool:
    return not any(Path(path).exists() for path in OUTPUTS)


def test_figures_report_and_picture_are_written(workplace, capsys):
    implement.main()
    metrics = json.loads(Path("metrics/implement.json").read_text())
    assert metrics["xcup"]["mismatches"] == 0
    assert metrics["xcup"]["lut"] > 0
    assert "not on PATH" in Path("metrics/implement.md").read_text()
    assert Path("metrics/plots/implement/area.png").stat().st_size > 1000
    assert "Vivado: not on PATH" in capsys.readouterr().out


def test_a_netlist_that_differs_writes_nothing(workplace, monkeypatch):
    def differs(*args):
        raise MismatchError("netlist_xcup differs; first in window 3")

    FakeTools(monkeypatch)
    monkeypatch.setattr(implementation, "check_stream", differs)
    with pytest.raises(PipelineError, match="first in window 3"):
        implement.main()
    assert nothing_written()


def test_the_report_keeps_the_order_of_the_parameters(workplace, monkeypatch):
    families = ["ecp5", "xcup"]
    FakeTools(monkeypatch)
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["implement"] |= {"families": families, "route": True}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    implement.main()
    report = Path("metrics/implement.md").read_text()
    assert report.index("| Lattice ECP5 |") < report.index("| AMD UltraScale+ |")
    metrics = json.loads(Path("metrics/implement.json").read_text())
    assert ["fmax_mhz" in metrics[family] for family in families] == [True, False]


def test_rtl_of_another_network_is_refused(workplace):
    write(Path("models/integer.json"), random_network(5, 2, 3))
    with pytest.raises(PipelineError, match="the RTL has window_length 2, the network 3"):
        implement.main()
    assert nothing_written()


def test_missing_metrics_are_named(workplace):
    design = implement.read_design(implement.RTL)
    with pytest.raises(PipelineError, match="no number validation_rmse_mev"):
        implement.markdown(design, [], {"energy_nj": 0.1}, [], [])
