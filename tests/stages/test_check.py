"""Stage ``check``, which is ``python -m pipeline.params`` as well: all faults, before any stage."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.check import CHECKED, check, main
from pipeline.params import ParamsError
from tests.imports import ROOT
from tests.workplace import set_params

# Limits that every list meets; what an LSTM and a GRU can have.
WIDE: dict[str, Any] = {"limit": {"SimpleRNN": 32, "Dense": 32}, "uniform_bits": []}
GATED = {
    "state": ["quantized_bits(14,1,0,alpha=1)"],
    "activation": ["quantized_tanh(13,use_real_tanh=1)", "quantized_relu(12,0)"],
}
TANH = [32, 32, 32, ["quantized_tanh(13,use_real_tanh=1)"], 32, 32]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    set_params()


def faults(**sections: dict[str, Any]) -> list[str]:
    set_params(**sections)
    with pytest.raises(ParamsError) as caught:
        main()
    assert not CHECKED.exists()
    lines = str(caught.value).splitlines()
    assert all(line.startswith("params.yaml: ") for line in lines)
    return [line.removeprefix("params.yaml: ") for line in lines]


def search_changed(**changed: Any) -> dict[str, Any]:
    """Changes of the search's lists, beside what is shipped."""
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text())["search"]
    return {key: {**shipped[key], **value} for key, value in changed.items()}


def test_the_output_is_the_same_for_all_parameters(capsys: pytest.CaptureFixture[str]):
    main()
    before = CHECKED.read_bytes()
    set_params(search={"mode": "random", "max_trials": 3}, train={"cell": "GRU"})
    main()
    assert CHECKED.read_bytes() == before
    assert capsys.readouterr().err == "params.yaml: valid\n" * 2


def test_it_takes_about_a_second():
    check()
    start = time.process_time()
    check()
    assert time.process_time() - start < 2


@pytest.mark.parametrize("command", ["pipeline.params", "pipeline.check"])
def test_both_commands_tell_the_same(command: str):
    set_params(search={"mode": "foo", "input_quantizer": "/dev/zero"})
    result = subprocess.run(
        [sys.executable, "-m", command],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    first, second = result.stderr.splitlines()
    assert first.startswith("error: params.yaml: search.mode: ")
    assert second.startswith("params.yaml: search.input_quantizer: expected a quantizer such as ")
    assert "/dev/zero" in second


def test_values_and_the_search_space_are_told_at_once():
    lines = faults(
        train={"epochs": 10**30, "learning_rate": 1e308},
        search={
            "input_quantizer": "/dev/zero",
            **search_changed(limit={"top;exec": 8, "Dense": [2, 14, 12]}),
        },
        rtl={"top": "module"},
    )
    assert [line.split(": ")[0] for line in lines] == [
        "train.epochs",
        "train.learning_rate",
        "search.input_quantizer",
        "rtl.top",
        "search.limit.top;exec",
    ]


def test_wrong_strings_do_not_hide_wrong_names():
    lists = search_changed(
        quantization_config={"kernel": ["oops"]},
        limit={"top;exec": 8, "Dense": [[";"], 14, 12], "(": 1},
    )
    assert [line.split(": ")[0] for line in faults(search=lists)] == [
        "search.quantization_config.kernel",
        "search.limit.Dense",
        "search.limit.top;exec",
        "search.limit.(",
    ]


@pytest.mark.parametrize("limit", ["top;exec", {"SimpleRNN": "top;exec"}, {"Dense": [8, "x", 8]}])
def test_a_limit_of_another_form_hides_only_the_space(limit: Any):
    lines = faults(search={"limit": limit, "mode": "foo"}, finetune={"epochs": 0})
    assert sorted({".".join(line.split(": ")[0].split(".")[:2]) for line in lines}) == [
        "finetune.epochs",
        "search.limit",
        "search.mode",
    ]


@pytest.mark.parametrize(
    ("kind", "texts", "words"),
    [
        ("kernel", ["oops", "quantized_bits(0)"], ["unknown", "bits of"]),
        ("state", {"quantized_relu(8,0)": 8, "rm -rf": 2}, ["expected a quantizer"]),
        ("linear", ["quantized_bits(4,9)"], ["integer of"]),
    ],
)
def test_every_wrong_string_of_a_list_is_told(kind: str, texts: Any, words: list[str]):
    lines = faults(search=search_changed(quantization_config={kind: texts}))
    assert len(lines) == len(words)
    for line, found in zip(lines, words, strict=True):
        assert line.startswith(f"search.quantization_config.{kind}: {found}")


def test_strings_in_limits_are_read_too():
    (line,) = faults(search=search_changed(limit={"Dense": [["/etc/passwd"], 14, 12]}))
    assert line.startswith("search.limit.Dense: expected a quantizer such as ")


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"bias": ["quantized_bits(14,0,0,alpha='auto')"]}, "rnn/bias: the scale of"),
        ({"bias": ["quantized_bits(14,0,0,alpha=0.3)"]}, "rnn/bias: the scale of"),
        ({"activation": ["quantized_relu(12,0,0,0.25)"]},
         "search.quantization_config: rnn/activation: quantized_relu(12,0,0,0.25) has no fixed"),
        ({"state": ["quantized_bits(8,0,1,alpha=1)"]},
         "search.quantization_config: rnn/state: quantized_bits(8,0,1,alpha=1) has no"),
        ({"kernel": ["quantized_relu(6,0,0,0.25)"]}, "rnn/kernel: quantized_relu(6,0,0,0.25)"),
        ({"bias": ["quantized_bits(14,0,0,alpha=2.0**-40)"]},
         "search.quantization_config.bias: alpha of"),
        ({"bias": [f"quantized_bits(14,0,0,alpha={2.0**-30!r})"]},
         "rnn/bias: quantized_bits(14,0,0,alpha=9.313225746154785e-10): expected weights of at"),
    ],
)  # fmt: skip
def test_what_the_export_would_refuse_is_told_for_every_quantizer(
    changed: dict[str, list[str]], key: str
):
    lines = faults(search=search_changed(quantization_config=changed) | WIDE)
    assert any(line.startswith(key) for line in lines), lines


@pytest.mark.parametrize(
    ("cell", "changed", "name"),
    [
        ("SimpleRNN", {"recurrent_kernel": ["quantized_bits(32,0,1,alpha=1)"],
                       "state": ["quantized_relu(24,0)"]}, "rnn"),
        ("SimpleRNN", {"bias": ["quantized_bits(32,0,0,alpha=1)", "quantized_bits(32,30,0)"],
                       "kernel": ["quantized_bits(24,0,1,alpha='auto_po2')"]}, "rnn"),
        ("GRU", GATED | {"recurrent_kernel": ["quantized_bits(32,0,1,alpha=1)"],
                 "recurrent_activation": ["quantized_sigmoid(24,use_real_sigmoid=1)"]}, "rnn"),
        ("LSTM", GATED | {"state": ["quantized_bits(24,20,0,alpha=1)"],
                  "recurrent_kernel": ["quantized_bits(30,28,1,alpha=1)"],
                  "recurrent_activation": ["quantized_sigmoid(24,use_real_sigmoid=1)"]}, "rnn"),
        ("SimpleRNN", {"activation": ["quantized_relu(24,0)"],
                       "kernel": ["quantized_bits(32,0,1,alpha=1)"]}, "dense"),
    ],
)  # fmt: skip
def test_sums_that_later_stages_cannot_hold_are_told(cell: str, changed: Any, name: str):
    config = search_changed(quantization_config=changed)
    limit = WIDE["limit"] | {"LSTM": TANH, "GRU": TANH}
    lines = faults(train={"cell": cell}, search=config | WIDE | {"limit": limit})
    assert any(
        line.startswith(f"search.quantization_config: {name}: a sum may need ") for line in lines
    ), lines


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        ({"survey": {"uniform_bits": [8, 9]}}, "survey.uniform_bits: uniform_9: expected one of"),
        ({"survey": {"points": [1, "uniform_7"]}}, "survey.points: uniform_7: expected one of"),
        ({"finetune": {"trial": "uniform_5"}}, "finetune.trial: uniform_5: expected one of"),
        ({"simulate": {"n_bc": 100}}, "simulate.n_bc, prepare: validation split: expected at"),
    ],
)
def test_what_one_section_asks_of_another_is_checked(sections: Any, line: str):
    (found,) = faults(**sections)
    assert found.startswith(line)


def test_what_is_not_used_is_not_asked_for():
    set_params(survey={"uniform_bits": [9]}, train={"cell": "LSTM"})
    check()
    set_params(data={"file": "data/raw/own.h5"}, simulate={"n_bc": 1})
    check()


def test_what_has_no_effect_is_said_on_one_line(capsys: pytest.CaptureFixture[str]):
    goal = {"type": "energy", "max_rmse_ratio": 1.02, "delta_p": 4.0, "delta_n": 8.0}
    set_params(search={"goal": goal | {"rate": 3.0, "stress": 1.0}})
    check()
    assert capsys.readouterr().err.splitlines()[0] == (
        "params.yaml: search.goal.delta_p, search.goal.rate: no effect while "
        "search.goal.max_rmse_ratio is set (null: AutoQKeras' score)"
    )
    set_params(search={"goal": goal | {"max_rmse_ratio": None, "rate": 3.0, "stress": 1.0}})
    check()
    assert capsys.readouterr().err == "params.yaml: valid\n"


def test_what_is_left_out_and_what_stays_float_is_said(capsys: pytest.CaptureFixture[str]):
    more = search_changed(limit={"Conv2D": [4, 4, 4]}, quantization_config={"linear": ["binary"]})
    set_params(search={**more, "layer_indexes": [1]})
    check()
    assert capsys.readouterr().err.splitlines()[:3] == [
        "params.yaml: search.quantization_config.linear: this network has none of these; left out",
        "params.yaml: search.limit.Conv2D: this network has none of these; left out",
        "params.yaml: search.layer_indexes: dense stays float: finetune and survey can build no "
        "trial, only uniform networks",
    ]


@pytest.mark.parametrize(
    ("units", "length", "cell", "factors"),
    [(100, 5, "SimpleRNN", [1.0]), (50, 5, "SimpleRNN", [0.5, 2.0]), (40, 128, "SimpleRNN", [0.5])],
)
def test_rtl_that_would_take_hours_is_refused(units, length, cell, factors):
    (line,) = faults(
        train={"units": units, "cell": cell},
        prepare={"window_length": length},
        search={"filter_range": factors},
    )
    assert line.startswith("train.units, search.filter_range, prepare.window_length: ")
    most = int(line.split("at most ")[1].split()[0])
    set_params(
        train={"units": most, "cell": cell},
        prepare={"window_length": length},
        search={"filter_range": [0.5]},
    )
    main()


def test_rtl_of_other_cells_is_not_written():
    set_params(train={"units": 100, "cell": "GRU"})
    main()
