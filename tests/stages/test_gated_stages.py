"""LSTM and GRU from a search's choice to C++: fine-tuned, converted, simulated, compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import finetune, implement, report, rtl, search, survey, synthesize
from pipeline.artifacts.finetune import FINETUNE, FinetuneFigures
from pipeline.artifacts.implementation import IMPLEMENTATION, Implementation
from pipeline.artifacts.survey import SURVEY, Survey
from pipeline.base.architecture import Architecture
from pipeline.base.errors import run_stage
from pipeline.base.files import read_json
from pipeline.base.schema import read
from pipeline.base.weights import load_weights
from pipeline.firmware.hls.project import write_project
from pipeline.integers.network import IntegerNetwork
from pipeline.samples.predictions import read_predictions
from pipeline.samples.prepared import read_prepared
from tests.firmware.hls.targets import target
from tests.integers.networks import random_gated_network
from tests.workplace import contents, make_trained_cell, set_params, write_choice

CELLS = ["LSTM", "GRU"]
FINE = {"dense/activation": "quantized_relu(12,0)"}


@pytest.fixture
def workplace(tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    make_trained_cell(request.param)
    set_params(synthesize={"gate_table_size": 16384})  # compiles faster than the default
    write_choice(request.param, units=3, **FINE)
    return request.param


@pytest.mark.slow
@pytest.mark.parametrize("workplace", CELLS, indirect=True)
def test_a_gated_cell_becomes_firmware_whose_differences_are_measured(workplace, tmp_path, capsys):
    cell = workplace
    finetune.main()
    network = read(IntegerNetwork, Path("models/integer.json"))
    assert not network.exact
    assert network.gated.kind == cell.lower()
    weights = load_weights(
        Path("models/quantized.weights.h5"), Architecture(cell, 3, 3).weight_shapes
    )
    for name in ("kernel", "recurrent_kernel", "bias"):
        tensor = getattr(network.gated, name)
        np.testing.assert_array_equal(tensor.array * tensor.type.step, weights[f"rnn/{name}"])

    synthesize.main()
    metrics = read_json(Path("metrics/firmware.json"))
    n_windows = read_prepared(search.PREPARED).test.n_windows
    quantized = read_predictions(Path("data/quantized_test.npy"), n_windows)
    outputs = read_predictions(Path("data/firmware_test.npy"), n_windows)
    assert len(np.unique(quantized)) > 5
    differences = (outputs.astype(np.float64) - quantized) * 16000
    for evaluator in ("vitis", "quartus"):
        assert metrics[evaluator]["windows"] == n_windows
        assert metrics[evaluator]["rms_difference_mev"] < 10
    assert metrics["vitis"]["mismatches"] == np.count_nonzero(differences)
    assert metrics["vitis"]["max_difference_mev"] == pytest.approx(np.abs(differences).max())
    assert metrics["exact"] == 0
    assert "golden" not in metrics
    assert "icpx" in Path("models/firmware_oneapi/not_available.txt").read_text()

    capsys.readouterr()
    rtl.main()
    implement.main()
    survey.main()
    assert capsys.readouterr().out.count("no RTL of an LSTM or a GRU") == 3
    finetuned = read(FinetuneFigures, FINETUNE)
    report.write_implementation(read(Implementation, IMPLEMENTATION), finetuned)
    report.write_survey(read(Survey, SURVEY))
    assert [path.name for path in Path("models/rtl").iterdir()] == ["not_available.txt"]
    assert json.loads(Path("metrics/rtl.json").read_text()) == {"available": 0}
    assert json.loads(Path("metrics/implement.json").read_text()) == {"available": 0}
    assert "no RTL" in Path("metrics/implement.md").read_text()
    assert list(Path("metrics/plots/implement").iterdir()) == []
    assert json.loads(Path("metrics/survey.json").read_text()) == {"available": 0}
    assert "no RTL" in Path("metrics/survey.md").read_text()
    assert Path("metrics/plots/survey.csv").read_text() == "network,lut,validation_rmse_mev\n"
    assert list(Path("metrics/plots/survey").iterdir()) == []


def test_the_same_network_gives_the_same_project(tmp_path):
    network = random_gated_network("lstm")
    for name in ("first", "second"):
        write_project(network, target("Vitis"), tmp_path / name)
    first, second = (contents(tmp_path / name, skip=()) for name in ("first", "second"))
    assert first == second


@pytest.mark.parametrize("workplace", CELLS, indirect=True)
@pytest.mark.parametrize(
    ("tensor", "text", "message"),
    [
        ("rnn/activation", "quantized_relu(9,0)", "expected quantized_tanh(bits,use_real_tanh=1)"),
        ("rnn/activation", "quantized_tanh(9)", "expected quantized_tanh(bits,use_real_tanh=1)"),
        ("rnn/recurrent_activation", "quantized_sigmoid(8)", "use_real_sigmoid=1"),
        ("rnn/state", "quantized_relu(9,0)", "has both signs"),
    ],
)
def test_what_the_templates_cannot_follow_is_refused_before_training(
    workplace, tmp_path, capsys, tensor, text, message
):
    write_choice(workplace, units=3, **{tensor: text})
    before = contents(tmp_path)
    with pytest.raises(SystemExit):
        run_stage(finetune.main)
    (error,) = capsys.readouterr().err.splitlines()
    assert tensor in error
    assert message in error
    assert contents(tmp_path) == before
