"""The baseline stage writes the energies of the float network."""

import math
from pathlib import Path
from typing import Any

import pytest

from pipeline import baseline
from pipeline.base.files import read_json
from pipeline.params import load_params
from tests.workplace import PARAMS, set_params


@pytest.fixture
def metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    set_params()
    baseline.main()
    return read_json(tmp_path / "metrics" / "baseline.json")


def test_content(metrics: dict[str, Any]) -> None:
    assert set(metrics) == {"energy_nj", "energy_nj_by_layer", "macs", "parameters"}
    assert set(metrics["energy_nj"]) == {"fp32", "int8", "reference"}
    for name, total in metrics["energy_nj"].items():
        by_layer = metrics["energy_nj_by_layer"][name]
        assert set(by_layer) == {"rnn", "dense"}
        assert sum(layer["total"] for layer in by_layer.values()) == pytest.approx(total)
        for layer in by_layer.values():
            assert set(layer) == {"inputs", "outputs", "parameters", "op_cost", "total"}
            assert all(math.isfinite(part) and part > 0 for part in layer.values())


def test_default_figures(metrics: dict[str, Any]) -> None:
    """89 weights and 304 multiply-accumulates, the budget being 400 and 500."""
    assert metrics["parameters"] == 89
    assert metrics["macs"] == 304
    assert metrics["energy_nj_by_layer"]["fp32"]["rnn"]["op_cost"] == pytest.approx(1.3904)
    assert metrics["energy_nj_by_layer"]["fp32"]["dense"]["op_cost"] == pytest.approx(0.0368)
    assert metrics["energy_nj"]["fp32"] == pytest.approx(1.4501, abs=5e-5)
    assert metrics["energy_nj"]["int8"] == pytest.approx(0.1020, abs=5e-5)
    assert metrics["energy_nj"]["reference"] == metrics["energy_nj"]["int8"]


def test_same_parameters_give_the_same_bytes(metrics: dict[str, Any], tmp_path: Path) -> None:
    first = (tmp_path / "metrics" / "baseline.json").read_bytes()
    baseline.main()
    assert (tmp_path / "metrics" / "baseline.json").read_bytes() == first


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_other_cells_cost_more(cell: str) -> None:
    params = load_params(PARAMS)
    other = params.model_copy(update={"train": params.train.model_copy(update={"cell": cell})})
    simple, gated = baseline.baseline_metrics(params), baseline.baseline_metrics(other)
    assert all(gated["energy_nj"][name] > simple["energy_nj"][name] for name in gated["energy_nj"])
    assert gated["parameters"] > simple["parameters"]
