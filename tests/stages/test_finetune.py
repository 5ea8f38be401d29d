"""The fine-tuning stage on a tiny synthetic cell, from files to files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline import finetune, search
from pipeline.artifacts.search import SEARCH, SearchResult
from pipeline.base.architecture import Architecture, network_shapes
from pipeline.base.errors import run_stage
from pipeline.base.files import read_json, write_json
from pipeline.base.schema import read
from pipeline.base.weights import load_weights, save_weights
from pipeline.integers.golden import evaluate
from pipeline.integers.network import IntegerNetwork
from pipeline.quantization.finetuning.finetuning import FinetuneError
from pipeline.quantization.finetuning.trials import SEARCH_WEIGHTS, trial_weights
from pipeline.quantization.training.network import frozen_weights
from pipeline.quantization.training.settings import QatSettings
from pipeline.quantization.training.trainer import QatTrainer
from pipeline.samples.predictions import read_predictions
from pipeline.samples.prepared import read_prepared
from pipeline.samples.windows import windows
from tests.quantization.quantizer_sets import quantizer_set
from tests.quantization.searched import search_content, trial_row
from tests.stages.strategy_order import assert_strategy_first
from tests.workplace import contents, make_trained_cell, set_params, write_choice

ARCHITECTURE = Architecture("SimpleRNN", 2, 3)
INPUTS = {"models/float.weights.h5", "models/search.json", "models/search.weights.h5"}
WRITTEN = {
    "data/quantized_test.npy",
    "metrics/finetune.json",
    "metrics/plots/finetune.csv",
    "models/integer.json",
    "models/profile.json",
    "models/quantized.json",
    "models/quantized.weights.h5",
}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_trained_cell()
    write_choice()
    return tmp_path


def test_writes_an_integer_network_that_is_the_quantized_one_the_same_twice(workplace):
    texts = write_choice()
    finetune.main()
    first = contents(workplace)
    assert set(first) == WRITTEN | INPUTS

    assert read_json(Path("models/quantized.json")) == {
        "cell": "SimpleRNN",
        "trial": "0",
        "units": 2,
        "quantizers": texts,
    }
    network = read(IntegerNetwork, Path("models/integer.json"))
    assert (network.window_length, network.et_scale_gev) == (3, 16.0)
    weights = load_weights(Path("models/quantized.weights.h5"), ARCHITECTURE.weight_shapes)
    for name in ("kernel", "recurrent_kernel", "bias"):
        tensor = getattr(network.rnn, name)
        np.testing.assert_array_equal(tensor.array * tensor.type.step, weights[f"rnn/{name}"])
    test = read_prepared(search.PREPARED).test
    outputs = read_predictions(Path("data/quantized_test.npy"), test.n_windows)
    scaled = test.dig_et_gev / np.float32(16)
    np.testing.assert_array_equal(evaluate(network, windows(scaled, 3)[: test.n_windows]), outputs)
    assert len(np.unique(outputs)) > 5

    metrics = read_json(Path("metrics/finetune.json"))
    assert metrics["epochs"] == 2
    assert metrics["improved"] == 1
    assert metrics["validation_rmse_mev"] > 0
    assert metrics["rmse_ratio_to_float"] > 0
    assert metrics["bits"]["rnn_kernel"] == 5
    assert metrics["bits"]["input"] == 12
    assert len(metrics["bits"]) == 9

    finetune.main()
    assert contents(workplace) == first


@pytest.mark.slow
def test_where_no_epoch_is_better_the_weights_of_the_trial_are_handed_on(
    workplace, monkeypatch, capsys
):
    original = QatTrainer.fit

    def fit(self, *arguments):
        return replace(original(self, *arguments), validation_loss=1.0)

    monkeypatch.setattr(QatTrainer, "fit", fit)
    finetune.main()
    metrics = read_json(Path("metrics/finetune.json"))
    assert metrics["improved"] == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "handed on" in line]
    assert lines == [
        "finetune: none of 2 epochs was better than the trial's own weights, which are handed on"
    ]
    shapes = network_shapes("SimpleRNN", 2)
    found = load_weights(Path("models/quantized.weights.h5"), shapes)
    start = trial_weights(read(SearchResult, SEARCH), ARCHITECTURE)["0"]
    expected = frozen_weights(ARCHITECTURE, quantizer_set("auto_po2"), start)
    for name in shapes:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize("trial", ["best", 1, "0"])
def test_the_parameters_say_what_is_trained_and_how(workplace, monkeypatch, trial):
    texts = write_choice()
    start = trial_weights(read(SearchResult, SEARCH), ARCHITECTURE)["0"]
    other = texts | {"rnn/state": "quantized_relu(7,0)"}
    rows = [trial_row(name, quantizers=q, units=2) for name, q in (("0", texts), ("1", other))]
    write_json(SEARCH, search_content(rows, best="0"))
    zeros = {name: np.zeros(s, np.float32) for name, s in network_shapes("SimpleRNN", 2).items()}
    both = {"0": start, "1": zeros}
    save_weights(SEARCH_WEIGHTS, {f"{n}/{t}": v for n, own in both.items() for t, v in own.items()})
    changed = {"seed": 11, "epochs": 5, "batch_size": 32, "learning_rate": 0.125}
    set_params(finetune={"trial": trial, **changed})
    given = []

    def fit(self, *arguments):
        given.append(arguments)
        raise FloatingPointError("enough")

    monkeypatch.setattr(QatTrainer, "fit", fit)
    with pytest.raises(FinetuneError, match=r"finetune\.learning_rate: 0\.125: enough"):
        finetune.main()
    ((quantizers, initial, settings, _),) = given
    assert settings == QatSettings(5, 32, 0.125, 11, units=2, starts=8)
    assert quantizers["rnn/state"].bits == (7 if trial == 1 else 8)
    np.testing.assert_array_equal(
        initial["rnn/kernel"], both["1" if trial == 1 else "0"]["rnn/kernel"]
    )


def refused(capsys) -> str:
    with pytest.raises(SystemExit) as caught:
        run_stage(finetune.main)
    assert caught.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize(
    ("tensor", "text", "message"),
    [
        ("rnn/kernel", "quantized_bit(4)", "models/search.json: rnn/kernel: unknown quantizer"),
        ("rnn/kernel", "quantized_bits(4,0,1,alpha='auto')", "rnn/kernel: the scale of"),
        ("rnn/state", "quantized_tanh(6)", "rnn/state: quantized_tanh(6) has no fixed-point"),
    ],
)
def test_a_choice_that_is_no_integer_network_is_refused(workplace, capsys, tensor, text, message):
    write_choice(**{tensor: text})
    assert message in refused(capsys)
    assert set(contents(workplace)) == INPUTS


def test_a_missing_search_is_named(workplace, capsys):
    SEARCH.unlink()
    assert "models/search.json: cannot be read" in refused(capsys)


@pytest.mark.slow
def test_a_dead_network_is_an_error_and_nothing_is_written(workplace):
    write_choice(**{"dense/activation": "quantized_relu(1,1)"})
    with pytest.raises(FinetuneError, match="dead after epoch 2: its output is the same"):
        finetune.main()
    assert set(contents(workplace)) == INPUTS


@pytest.mark.slow
def test_a_network_of_another_width_is_fine_tuned_from_its_own_weights(workplace):
    write_choice(units=3)
    finetune.main()
    assert read_json(Path("models/quantized.json"))["units"] == 3
    assert len(read(IntegerNetwork, Path("models/integer.json")).rnn.bias.array) == 3
    assert read_json(Path("metrics/finetune.json"))["units"] == 3


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "float_bits"), [(6, 32), (16, 64)])
def test_where_float32_is_too_narrow_the_output_is_qkeras_in_float64(workplace, bits, float_bits):
    wide = f"quantized_bits({bits},0,0,alpha=1)"
    activation = f"quantized_relu({bits},0)"
    write_choice(
        **{
            "input": wide,
            **{f"rnn/{t}": wide for t in ("kernel", "recurrent_kernel", "bias")},
            **{f"rnn/{t}": activation for t in ("activation", "state")},
        }
    )
    finetune.main()
    found = read_json(Path("metrics/finetune.json"))
    assert found["qkeras_float_bits"] == float_bits
    assert np.isfinite(found["float32_max_difference_mev"])
    network = read(IntegerNetwork, Path("models/integer.json"))
    test = read_prepared(Path("data/prepared.h5")).test
    scaled = test.dig_et_gev / np.float32(test.et_scale_gev)
    expected = evaluate(network, windows(scaled, network.window_length))
    output = read_predictions(Path("data/quantized_test.npy"), test.n_windows)
    assert np.array_equal(output, expected)


def test_the_strategy_is_made_before_data_are_placed(workplace, monkeypatch):
    assert_strategy_first(monkeypatch, finetune.main)
