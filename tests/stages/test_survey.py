"""The stage ``survey`` on a tiny search: what it writes, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline import survey
from pipeline.base.architecture import network_shapes, quantized_tensors
from pipeline.base.errors import PipelineError
from pipeline.base.files import write_json
from pipeline.base.schema import write
from pipeline.base.weights import save_weights
from pipeline.firmware.survey.subjects import SurveyError
from pipeline.firmware.survey.survey import golden_rmse_mev
from pipeline.firmware.synthesis.implementation import Core, Implemented
from pipeline.quantization.finetuning.export import to_integer_network
from pipeline.quantization.training.network import frozen_weights
from pipeline.samples.prepared import Prepared, Split
from tests.imports import ROOT
from tests.integers.networks import fixed, random_network
from tests.quantization.quantizer_sets import quantizer_set, random_weights
from tests.samples.files import write_prepared

NETWORK = random_network(5, 2, 2, weight=fixed(4, 1), sample=fixed(6, 3))
PARAMS = ROOT / "params.yaml"
OUTPUTS = (
    "metrics/survey.json",
    "metrics/survey.md",
    "metrics/plots/survey.csv",
    "metrics/plots/survey/area.png",
)
FINETUNE = {
    "energy_nj": 0.1,
    "weight_bits": 40.0,
    "bits": {tensor.replace("/", "_"): 4 for tensor in quantized_tensors("SimpleRNN")},
}


def make_split(name: str, n_bc: int) -> Split:
    rng = np.random.default_rng(n_bc)
    samples = rng.normal(0, 4, n_bc).astype(np.float32)
    zeros = np.zeros(n_bc, np.float32)
    return Split(name, samples, np.abs(samples), zeros, zeros, 2, 2, 16.0)


def make_row(trial: str, units: int, energy_nj: float) -> dict:
    texts = {tensor: quantizer.text for tensor, quantizer in quantizer_set("4 bits").items()}
    return {
        "trial": trial, "quantizers": texts, "units": units, "energy_nj": energy_nj,
        "weight_bits": 60.0,
    }  # fmt: skip


SEARCH = {
    "best": "01",
    "trials": [
        make_row("00", 3, 0.02) | {"on_front": True},
        make_row("01", 2, 0.01) | {"on_front": True},
    ],
    "uniform": [make_row("uniform_4", 2, 0.03)],
}


def set_params(**changes) -> None:
    params = yaml.safe_load(PARAMS.read_text())
    params["rtl"] |= {"top": "cell_rnn", "clock_period_ns": 2.0, "cells": 3}
    small = {"points": 1, "uniform_bits": [4], "windows": 300, "netlist_windows": 100}
    params["survey"] |= small | changes
    Path("params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    set_params()
    write(Path("models/integer.json"), NETWORK)
    write_json(Path("metrics/finetune.json"), FINETUNE)
    write_json(Path("models/search.json"), SEARCH)
    weights = {
        f"{row['trial']}/{tensor}": values
        for row in [*SEARCH["trials"], *SEARCH["uniform"]]
        for tensor, values in random_weights(network_shapes("SimpleRNN", row["units"])).items()
    }
    save_weights(Path("models/search.weights.h5"), weights)
    splits = [make_split("train", 50), make_split("validation", 400), make_split("test", 51)]
    write_prepared(Path("data/prepared.h5"), Prepared(*splits))


def nothing_written() -> bool:
    return not any(Path(path).exists() for path in OUTPUTS)


def unsynthesised(core: Core, family, options, work) -> Implemented:
    """Stand in for Yosys, which takes ten seconds for each network; area by its units."""
    units = len(core.network.rnn.bias.integers)
    area = {"lut": 100 * units, "ff": 10, "carry": 1, "dsp": 0, "bram": 0}
    return Implemented(family, "a family", "no tool", area, options.windows, 0)


def test_figures_report_and_picture_are_written(workplace, monkeypatch, capsys):
    monkeypatch.setattr("pipeline.firmware.survey.survey.implement", unsynthesised)
    survey.main()
    metrics = json.loads(Path("metrics/survey.json").read_text())
    assert sorted(metrics) == ["finetuned", "trial_01", "uniform_4"]
    for found in metrics.values():
        assert found["stream"] == {"windows": 300, "mismatches": 0, "max_difference_mev": 0.0}
        assert found["netlist"] == {"windows": 100, "mismatches": 0}
        assert found["core"]["lut"] == 200
    assert metrics["finetuned"]["energy_pj"] == pytest.approx(100)
    assert metrics["trial_01"]["energy_pj"] == pytest.approx(10)
    quantizers = quantizer_set("4 bits")
    frozen = frozen_weights(
        "SimpleRNN", 2, quantizers, random_weights(network_shapes("SimpleRNN", 2))
    )
    network = to_integer_network(frozen, quantizers, 2, 16.0)
    rmse_mev = golden_rmse_mev(network, make_split("validation", 400))
    assert metrics["trial_01"]["validation_rmse_mev"] == pytest.approx(rmse_mev)
    assert list(pd.read_csv("metrics/plots/survey.csv")["network"]) == [
        "finetuned", "trial_01", "uniform_4",
    ]  # fmt: skip
    assert "| trial_01 | 2 | 4 / 4 / 5 | 60 |" in Path("metrics/survey.md").read_text()
    assert Path("metrics/plots/survey/area.png").stat().st_size > 1000
    assert "trial_01: " in capsys.readouterr().out


def test_a_network_that_differs_writes_nothing(workplace, monkeypatch):
    def differs(subject, *_):
        raise SurveyError(f"{subject.name}: stream differs; first in window 3")

    set_params(points=0, uniform_bits=[])  # of several, whichever is found first would be named
    monkeypatch.setattr("pipeline.firmware.survey.survey.survey", differs)
    with pytest.raises(PipelineError, match="finetuned: stream differs; first in window 3"):
        survey.main()
    assert nothing_written()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"points": ["07"]}, r"^survey\.points: 07: expected best or one of 00, 01, uniform_4"),
        ({"uniform_bits": [4, 8]}, r"^survey\.uniform_bits: uniform_8: expected .*uniform_4"),
    ],
)
def test_a_network_that_was_not_searched_is_refused(workplace, changes, message):
    set_params(**changes)
    with pytest.raises(PipelineError, match=message):
        survey.main()
    assert nothing_written()


def test_a_trial_that_left_tensors_float_is_refused(workplace):
    search = json.loads(Path("models/search.json").read_text())
    del search["trials"][0]["quantizers"]["dense/kernel"]
    write_json(Path("models/search.json"), search)
    set_params(points=["00"])
    with pytest.raises(PipelineError, match=r"^survey\.points: 00: .*dense/kernel"):
        survey.main()
    assert nothing_written()
