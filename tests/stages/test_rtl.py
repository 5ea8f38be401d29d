"""The stage ``rtl`` on a tiny network: what it writes, and that failures write nothing."""

import json
import shutil
from pathlib import Path

import pytest

from pipeline import rtl
from pipeline.base.errors import PipelineError
from pipeline.integers.compare import MismatchError
from tests.integers.networks import random_network
from tests.workplace import make_workplace, noise_splits, nothing_written, set_params

NETWORK = random_network(0, 2, 3)
OUTPUTS = ("models/rtl", "metrics/rtl.json", "logs")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    splits = noise_splits((50, 51, 1003), window_length=3)
    make_workplace(splits, NETWORK, rtl={"stream_windows": 2000, "event_windows": 0})


def test_agreement_writes_rtl_and_metrics(workplace, capsys):
    set_params(rtl={"event_windows": 20})
    rtl.main()
    metrics = json.loads(Path("metrics/rtl.json").read_text())
    assert metrics["rtl"] == {"windows": 1000, "mismatches": 0, "max_difference_mev": 0.0}
    assert metrics["stream"] == {"windows": 2000, "mismatches": 0, "max_difference_mev": 0.0}
    assert metrics["latency_cycles"] == metrics["stages"] + 1
    assert metrics["initiation_interval"] == 1
    assert set(metrics) == {
        "rtl", "stream", "adder_operations", "initiation_interval", "latency_cycles", "latency_ns",
        "stages",
    }  # fmt: skip
    lines = Path("logs/rtl.txt").read_text().splitlines()
    for line, tool in zip(lines, ("iverilog", "ghdl", "ghdl"), strict=True):
        installed = shutil.which(tool) is not None
        assert ("20 windows, 0 mismatches" if installed else f"{tool} not on PATH") in line
    assert json.loads(Path("models/rtl/design.json").read_text())["schema_version"] == 1
    assert Path("models/rtl/verilog/calorimeter_rnn_stream.v").is_file()
    assert Path("models/rtl/vhdl/calorimeter_rnn.vhd").is_file()
    out = capsys.readouterr().out
    assert "Verilator" in out
    assert all(line in out for line in lines)


def test_a_simulator_that_only_some_machines_have_can_fail_the_stage(workplace, monkeypatch):
    def differs(*_):
        raise MismatchError("icarus differs from golden in 1 of 20 windows; first in window 3")

    monkeypatch.setattr(rtl, "check_event_simulators", differs)
    with pytest.raises(PipelineError, match=r"icarus differs .* first in window 3"):
        rtl.main()
    assert nothing_written(OUTPUTS)


@pytest.mark.slow
def test_a_fault_in_the_rtl_fails_and_writes_nothing(workplace, monkeypatch):
    faulty = NETWORK.model_dump()
    faulty["layers"][0]["kernel"]["integers"][0][1] ^= 1
    original = rtl.write_rtl

    def write_faulty(network, options, directory):
        return original(type(network).model_validate(faulty), options, directory)

    monkeypatch.setattr(rtl, "write_rtl", write_faulty)
    with pytest.raises(PipelineError, match=r"rtl differs from golden in .* first in window"):
        rtl.main()
    assert nothing_written(OUTPUTS)


def test_without_a_compiler_nothing_is_written(workplace, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(PipelineError, match=r"g\+\+: not found on PATH"):
        rtl.main()
    assert nothing_written(OUTPUTS)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("top", "a b", r"rtl\.top"),
        ("clock_period_ns", 0, r"rtl\.clock_period_ns"),
        ("cells", 13, r"rtl: cells \* clock_period_ns is 27\.08\d* ns"),
        ("adders_per_stage", 0, r"rtl\.adders_per_stage"),
    ],
)
def test_bad_parameters_name_their_key(workplace, key, value, message):
    set_params(rtl={key: value})
    with pytest.raises(PipelineError, match=message):
        rtl.main()
    assert nothing_written(OUTPUTS)
