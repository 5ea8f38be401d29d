"""The stage on a small sequence: what it writes, and that failures write nothing."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline import train
from pipeline.base.errors import run_stage
from pipeline.base.files import read_json, write_text
from pipeline.base.weights import load_weights, save_weights
from pipeline.networks.starts import DeadLanes
from pipeline.samples.predictions import read_predictions
from pipeline.samples.prepared import Split
from tests.given_network.keras_files import keras_model, save, tensors
from tests.stages.strategy_order import assert_strategy_first
from tests.workplace import make_split, make_workplace, set_params

OUTPUTS = [
    Path(name)
    for name in (
        "models/float.weights.h5",
        "data/float_test.npy",
        "metrics/plots/train.csv",
        "metrics/train.json",
        "metrics/plots/train_starts.csv",
    )
]
SHAPES = {
    "rnn/kernel": (1, 4),
    "rnn/recurrent_kernel": (4, 4),
    "rnn/bias": (4,),
    "dense/kernel": (4, 1),
    "dense/bias": (1,),
}


def split_of(name: str, n_bc: int) -> Split:
    """Make a truth that is the last sample of each window."""
    et_gev = np.random.default_rng(n_bc).uniform(0, 16, n_bc).astype(np.float32)
    return make_split(name, et_gev, et_gev, target_lag=1)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = {"units": 4, "epochs": 3, "batch_size": 8, "learning_rate": 0.01}
    splits = [split_of(name, n) for name, n in (("train", 900), ("v", 103), ("t", 203))]
    make_workplace(splits, train=small)


@pytest.fixture
def earlier(workplace):
    """Outputs of an earlier run; returns a check that they are as they were."""
    for path in OUTPUTS:
        write_text(path, f"earlier {path}")

    def check() -> bool:
        leftovers = [path for path in Path().rglob("*.tmp*") if path.is_file()]
        return not leftovers and all(p.read_text() == f"earlier {p}" for p in OUTPUTS)

    return check


def rows(path: Path) -> list[str]:
    return path.read_text().splitlines()[1:]


def fails_with_one_line(capsys) -> str:
    with pytest.raises(SystemExit) as caught:
        run_stage(train.main)
    assert caught.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_writes_everything_and_the_same_bytes_twice(workplace):
    train.main()
    weights = load_weights(OUTPUTS[0], SHAPES)
    outputs = read_predictions(OUTPUTS[1], 200)
    metrics = read_json(OUTPUTS[3])
    assert set(metrics) == {
        "validation_rmse_mev", "epochs", "restarts", "parameters", "starts", "dead_starts",
    }  # fmt: skip
    assert metrics["starts"] == 8
    assert metrics["epochs"] == 3
    assert metrics["parameters"] == sum(weight.size for weight in weights.values()) == 29

    truth_gev = split_of("t", 203).hit_et_gev[2:202]
    spread_mev = 16000 / np.sqrt(12)
    assert np.sqrt(np.mean((outputs * 16 - truth_gev) ** 2)) * 1000 < spread_mev / 2
    assert 0 < metrics["validation_rmse_mev"] < spread_mev / 2

    curve = OUTPUTS[2].read_text().splitlines()
    assert curve[0] == "epoch,train_rmse_mev,validation_rmse_mev,learning_rate"
    assert len(curve) == 4
    best = min(float(line.split(",")[2]) for line in curve[1:])
    assert metrics["validation_rmse_mev"] == pytest.approx(best, rel=1e-3)  # of float32
    starts = [[float(cell) for cell in row.split(",")] for row in rows(OUTPUTS[4])]
    assert sorted({start for start, *_ in starts}) == list(range(1, 9))
    assert (
        sum(last == 1 for _, last in Counter(row[0] for row in starts).items())
        == (metrics["dead_starts"])
    )
    assert best == min(error for _, _, error in starts)

    first = [path.read_bytes() for path in OUTPUTS]
    for path in OUTPUTS:
        path.unlink()
    train.main()
    assert [path.read_bytes() for path in OUTPUTS] == first


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
@pytest.mark.parametrize("name", ["model.h5", "model.keras", "float.weights.h5"])
def test_a_given_network_skips_the_fit_and_all_figures_are_its_own(workplace, capsys, name):
    model = keras_model()
    if name == "float.weights.h5":
        save_weights(Path(name), tensors(model))
    else:
        save(model, Path(name))
    set_params(train={"weights": name})
    train.main()
    weights = load_weights(OUTPUTS[0], SHAPES)
    for tensor, value in tensors(model).items():
        np.testing.assert_array_equal(weights[tensor], value)
    test = split_of("t", 203)
    windows = test.windows(test.scaled_samples())[..., np.newaxis]
    outputs = read_predictions(OUTPUTS[1], 200)
    np.testing.assert_allclose(outputs, model(windows).numpy()[:, 0], atol=1e-6)

    validation = split_of("v", 103)
    answers = model(validation.windows(validation.scaled_samples())[..., np.newaxis]).numpy()[:, 0]
    metrics = read_json(OUTPUTS[3])
    rmse_mev = validation.rmse_mev(answers * 16)
    assert metrics["validation_rmse_mev"] == pytest.approx(rmse_mev, rel=1e-4)
    assert (metrics["epochs"], metrics["restarts"], metrics["parameters"]) == (0, 0, 29)
    head, row = OUTPUTS[2].read_text().splitlines()
    assert head == "epoch,train_rmse_mev,validation_rmse_mev,learning_rate"
    assert row.split(",")[0] == "0.0"
    assert float(row.split(",")[2]) == metrics["validation_rmse_mev"]
    assert rows(OUTPUTS[4]) == [f"1,0.0,{row.split(',')[2]}"]
    assert (metrics["starts"], metrics["dead_starts"]) == (1, 0)
    err = capsys.readouterr().err
    assert f"read from {name}" in err
    assert ("prepare.et_scale_gev" in err) == (rmse_mev > 16000 / np.sqrt(12) * 1.05)


def test_a_given_network_of_another_scale_is_doubted(workplace, capsys):
    weights = tensors(keras_model())
    weights["dense/kernel"][:] = 50
    save_weights(Path("own.h5"), weights)
    set_params(train={"weights": "own.h5"})
    train.main()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "spread" in line]
    assert "prepare.et_scale_gev" in line


def test_a_given_network_that_is_another_is_refused_before_tensorflow(earlier, monkeypatch, capsys):
    save_weights(Path("own.h5"), tensors(keras_model(units=5)))
    set_params(train={"weights": "own.h5"})
    monkeypatch.setitem(sys.modules, "pipeline.networks.fitting", None)
    assert "own.h5: rnn/kernel: expected shape (1, 4)" in fails_with_one_line(capsys)
    assert earlier()


def test_without_prepared_data_nothing_is_written(earlier, monkeypatch, capsys):
    Path("data/prepared.h5").unlink()
    monkeypatch.setitem(sys.modules, "pipeline.networks.fitting", None)  # must not be imported yet
    assert fails_with_one_line(capsys) == "error: data/prepared.h5: no such file\n"
    assert earlier()


def test_a_wrong_parameter_is_named(earlier, capsys):
    set_params(train={"strategy": "cluster"})
    assert "params.yaml: train.strategy: " in fails_with_one_line(capsys)
    assert earlier()


def test_a_network_that_stays_dead_writes_nothing(earlier, monkeypatch, capsys):
    monkeypatch.setattr(DeadLanes, "dead", lambda *_: np.full(8, True))
    set_params(train={"epochs": 1, "max_restarts": 0})
    with pytest.raises(SystemExit):
        run_stage(train.main)
    said, error = capsys.readouterr().err.splitlines()
    assert said.startswith("train (seed 1): dead after one epoch: the output is the same for all")
    assert error.startswith("error: train.max_restarts: 1 seeds from 1 on all gave")
    assert earlier()


def test_the_strategy_is_made_before_data_are_placed(workplace, monkeypatch):
    """Once a tensor lies on a GPU, `cpu` could no longer hide it."""
    assert_strategy_first(monkeypatch, train.main)
