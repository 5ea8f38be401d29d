"""The search stage on a tiny synthetic cell, from files to files."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from pipeline import search
from pipeline.base.architecture import quantized_tensors
from pipeline.base.errors import run_stage
from pipeline.base.files import ArtifactError, read_json
from pipeline.base.weights import FLOAT_WEIGHTS
from pipeline.quantization.search.trials.runner import SearchError
from pipeline.samples.prepared import PREPARED, read_prepared
from pipeline.samples.windows import targets, windows
from tests.imports import ROOT
from tests.workplace import PARAMS, contents, make_trained_cell

WRITTEN = [
    "metrics/search.json",
    "models/search.json",
    "models/search.weights.h5",
]


def written(folder: Path) -> dict[str, bytes]:
    found = contents(folder, (str(PREPARED), "params.yaml", str(FLOAT_WEIGHTS)))
    return {name: value for name, value in found.items() if not name.startswith(".search/")}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_trained_cell()
    return tmp_path


def test_a_run_and_one_that_was_killed_in_between_write_the_same(
    workplace, monkeypatch, capsys, tmp_path_factory
):
    from pipeline.quantization.training.trainer import QatTrainer

    tmp = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(tmp))
    search.main()
    first = written(workplace)
    lines = capsys.readouterr().err.splitlines()
    for beginning in (
        "search (random): every layer: ", "float network: ", "trial 0: 2 units; bits: ",
        "trial 1: 2 units; bits: ", "uniform_8: 2 units; ", "chosen of 2 trials: trial ",
        "total cost reduction: ", "written: models/search.json",
    ):  # fmt: skip
        assert sum(line.startswith(beginning) for line in lines) == 1, beginning
    assert not any("retracing" in line for line in lines)
    assert not list(tmp.glob("__autograph_generated_file*"))
    the_documented_call_loads_every_trial(capsys)
    assert sorted(first) == WRITTEN
    found = read_json(Path("models/search.json"))
    assert set(found["quantizers"]) == set(quantized_tensors("SimpleRNN"))
    assert [trial["trial"] for trial in found["trials"]] == ["0", "1"]
    best = max(found["trials"], key=lambda trial: trial["score"])
    assert found["best"] == best["trial"]
    assert found["quantizers"] == best["quantizers"]
    metrics = read_json(Path("metrics/search.json"))
    assert metrics["trials_asked"] == metrics["trials_completed"] == 2
    assert metrics["trials_failed"] == 0
    for name in ("energy_nj", "weight_bits", "validation_rmse_mev"):
        assert metrics[name] == best[name] > 0
    assert metrics["reference_rmse_mev"] == found["reference"]["validation_rmse_mev"]
    assert found["float_rmse_mev"] == found["reference"]["validation_rmse_mev"]
    assert found["ofmax_rmse_mev"] == 0  # whose E_T is the truth here
    assert found["schema_version"] == 1
    assert metrics["reference_energy_nj"] == pytest.approx(found["reference"]["cost"] / 1000)

    assert all(np.isfinite(value) for value in metrics.values())

    for name in WRITTEN:
        Path(name).unlink()
    search.main()  # from the state that is kept
    assert written(workplace) == first
    shutil.rmtree(".search")
    for name in WRITTEN:
        Path(name).unlink()
    original = QatTrainer.fit
    trained = []

    def fit(self, quantizers, initial_weights, settings, description, checkpoint=None):
        if not description.startswith("float"):  # what trials start from
            trained.append(description)
            if len(trained) == 2:
                raise KeyboardInterrupt
        return original(self, quantizers, initial_weights, settings, description, checkpoint)

    monkeypatch.setattr(QatTrainer, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        search.main()
    assert not any(Path(name).exists() for name in WRITTEN)
    search.main()
    assert trained == ["trial 0", "trial 1", "trial 1", "uniform_8"]
    assert written(workplace) == first


def the_documented_call_loads_every_trial(capsys):
    """The snippet of docs/search.md; what it loads has the RMSE that was recorded."""
    from pipeline.quantization.finetuning.trials import load_trial

    text = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?load_trial.*?)```", text, re.DOTALL)
    exec(snippet, {})
    assert "rnn" in capsys.readouterr().out
    split = read_prepared(PREPARED).validation
    inputs = windows(split.scaled_samples(), split.window_length)[..., np.newaxis]
    truth = targets(split.scaled_truth(), split.window_length, split.target_lag)
    found = read_json(Path("models/search.json"))
    for row in [*found["trials"], *found["uniform"]]:
        outputs = load_trial(row["trial"]).predict(inputs, verbose=0)[:, 0]
        rmse = 1000 * split.et_scale_gev * np.sqrt(np.mean((outputs - truth) ** 2))
        assert rmse == pytest.approx(row["validation_rmse_mev"], rel=1e-4)
    with pytest.raises(ArtifactError, match="load_trial: 77: expected best or one of 0, 1, uni"):
        load_trial("77")


def test_failing_trials_fail_the_stage_and_write_nothing(workplace, monkeypatch, capsys):
    from pipeline.quantization.training.trainer import QatTrainer

    def fit(*_: Any) -> None:
        raise FloatingPointError("the loss is not finite in epoch 1")

    monkeypatch.setattr(QatTrainer, "fit", fit)
    with pytest.raises(SearchError, match=r"2 trials asked, 0 completed, 2 failed .*not finite"):
        search.main()
    assert not any(Path(name).exists() for name in WRITTEN)
    assert capsys.readouterr().err.count("failed: FloatingPointError") == 2


@pytest.mark.slow
def test_a_gated_cell_can_be_searched(tmp_path, monkeypatch):
    cell = "LSTM"
    monkeypatch.chdir(tmp_path)
    make_trained_cell(cell, max_trials=1)
    search.main()
    found = read_json(Path("models/search.json"))
    assert set(found["quantizers"]) == set(quantized_tensors(cell))
    assert np.isfinite(found["trials"][0]["validation_rmse_mev"])


# The limit leaves out the widest bias, which uniform networks take.
NO_POINT = {
    "uniform_bits": [16],
    "limit": {"SimpleRNN": [8, 14, 10, 12, 12], "Dense": [8, 14, 12]},
    "quantization_config": {
        **yaml.safe_load(PARAMS.read_text(encoding="utf-8"))["search"]["quantization_config"],
        "bias": {"quantized_bits(14,0,0,alpha=1)": 14, "quantized_bits(16,0,0,alpha=3)": 16},
    },
}


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("search.input_quantizer", {"input_quantizer": "quantized_bit(12,0)"}),
        ("search.quantization_config.kernel", {"quantization_config": {"kernel": {"relu": 4}}}),
        ("search.limit.Dense", {"limit": {"SimpleRNN": 14, "Dense": [8, 14, 1]}}),
        ("search.seed", {"seed": 0}),
        ("search.uniform_bits: 16: rnn/bias", NO_POINT),
        ("search.filter_range: 0.1", {"tune_filters": "layer", "filter_range": [1.0, 0.1]}),
    ],
)
@pytest.mark.parametrize("run", [search.main, search.dry_run])
def test_a_bad_parameter_is_one_line_and_nothing_is_written(
    tmp_path, monkeypatch, capsys, key, change, run
):
    monkeypatch.chdir(tmp_path)
    make_trained_cell(**change)
    before = contents(tmp_path)
    with pytest.raises(SystemExit) as caught:
        run_stage(run)
    assert caught.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert key in lines[0]
    assert contents(tmp_path) == before


def test_weights_of_another_network_are_refused(workplace, capsys):
    with h5py.File(FLOAT_WEIGHTS, "a") as file:
        del file["dense/bias"]
    with pytest.raises(SystemExit):
        run_stage(search.main)
    error = capsys.readouterr().err
    assert str(FLOAT_WEIGHTS) in error
    assert "dense/bias" in error
    assert not any(Path(name).exists() for name in WRITTEN)


def test_a_dry_run_prints_the_plan_and_writes_nothing(workplace, capsys):
    before = contents(workplace)
    search.dry_run()
    text = capsys.readouterr().out
    assert text.startswith("block 1: every layer: rnn, dense: ")
    assert "2 trials of " in text
    assert contents(workplace) == before


@pytest.mark.slow
def test_a_search_in_blocks_writes_a_whole_network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changed = {"blocks": ["dense", "rnn"], "schedule_block": "cost", "block_min_trials": 1}
    make_trained_cell(tune_filters="block", filter_range=[0.5, 1.5], uniform_bits=[], **changed)
    search.main()
    found = read_json(Path("models/search.json"))
    assert set(found["quantizers"]) == set(quantized_tensors("SimpleRNN"))
    assert found["units"] in (1, 3)
    assert found["best"].startswith("block2_")
    assert {row["trial"].split("_")[0] for row in found["trials"]} == {"block1", "block2"}


def test_a_pattern_without_a_layer_stops_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_trained_cell(blocks=["rnn", "hidden"])
    before = contents(tmp_path)
    with pytest.raises(SystemExit):
        run_stage(search.main)
    assert "search.blocks: 'hidden': matches no layer" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_what_has_no_effect_is_said_when_a_search_is_planned(workplace, capsys):
    goal = yaml.safe_load(PARAMS.read_text())["search"]["goal"] | {"stress": 0.5}
    make_trained_cell(goal=goal)
    search.dry_run()
    said = capsys.readouterr()
    assert said.err == (
        "search.goal.stress: no effect while search.goal.max_rmse_ratio is set (null: "
        "AutoQKeras' score)\n"
    )
    assert said.out.startswith("block 1: ")
