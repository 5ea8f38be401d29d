"""The stage, on a tiny network: what it writes, and that failures write nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import synthesize
from pipeline.base.errors import PipelineError
from pipeline.base.files import ArtifactError
from pipeline.firmware.hls import projects
from pipeline.integers.golden import evaluate
from pipeline.samples.predictions import write_predictions
from pipeline.samples.windows import windows
from tests.integers.networks import random_network
from tests.workplace import make_workplace, noise_splits, nothing_written, set_params

NETWORK = random_network(0, 3, 3)
OUTPUTS = (
    "models/firmware",
    "models/firmware_quartus",
    "models/firmware_oneapi",
    "data/firmware_test.npy",
    "metrics/firmware.json",
)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    splits = noise_splits((50, 51, 603), window_length=3)
    make_workplace(splits, NETWORK)
    scaled = splits[2].dig_et_gev / np.float32(16)
    quantized = evaluate(NETWORK, windows(scaled, 3)).astype(np.float32)
    write_predictions(Path("data/quantized_test.npy"), quantized)
    return quantized


def test_agreement_writes_project_outputs_and_metrics(workplace, capsys):
    synthesize.main()
    assert "tools on PATH" in capsys.readouterr().out
    outputs = np.load("data/firmware_test.npy")
    assert outputs.dtype == np.float32
    assert np.array_equal(outputs, workplace)
    metrics = json.loads(Path("metrics/firmware.json").read_text())
    agree = {"windows": 600, "mismatches": 0, "max_difference_mev": 0.0}
    assert metrics["golden"] == metrics["vitis"] == metrics["quartus"] == agree
    assert metrics["float32_exact"] == 1
    first = {p: p.read_bytes() for p in Path("models").rglob("*") if p.is_file()}
    synthesize.main()
    second = {p: p.read_bytes() for p in Path("models").rglob("*") if p.is_file()}
    assert first == second


@pytest.mark.slow
def test_a_mismatch_fails_and_writes_nothing(workplace):
    wrong = workplace.copy()
    wrong[123] += 2.0**-6
    write_predictions(Path("data/quantized_test.npy"), wrong)
    with pytest.raises(PipelineError, match=r"first in window 123.*dense0\.activation, unit 0"):
        synthesize.main()
    assert nothing_written(OUTPUTS)


@pytest.mark.slow
def test_a_fault_in_the_cpp_fails_and_writes_nothing(workplace, monkeypatch):
    faulty = NETWORK.model_dump()
    faulty["layers"][0]["kernel"]["integers"][0][1] ^= 1
    original = projects.write_project

    def write_faulty(network, target, directory):
        original(type(network).model_validate(faulty), target, directory)

    monkeypatch.setattr(projects, "write_project", write_faulty)
    with pytest.raises(PipelineError, match=r"vitis differs from golden in .* first in window"):
        synthesize.main()
    assert nothing_written(OUTPUTS)


def test_without_a_compiler_nothing_is_written(workplace, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(PipelineError, match=r"g\+\+: not found on PATH"):
        synthesize.main()
    assert nothing_written(OUTPUTS)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("part", "xcvu9p; exec rm", r"synthesize\.part"),
        ("clock_period_ns", 0, r"synthesize\.clock_period_ns.*greater than 0, found 0"),
        ("intel_part", "Stratix 10", r"synthesize\.intel_part"),
        ("project_name", "a/b", r"synthesize\.project_name"),
        ("backend", "Quartus", r"synthesize\.backend"),
        ("max_mismatch_mev", -1.0, r"synthesize\.max_mismatch_mev"),
        (
            "gate_table_size",
            3000,
            r"gate_table_size: must be a power of two, found 3000",
        ),
        ("gate_table_size", 65536, r"synthesize\.gate_table_size"),
        ("max_gated_rms_mev", 0.0, r"synthesize\.max_gated_rms_mev"),
    ],
)
def test_bad_parameters_name_their_key(workplace, key, value, message):
    set_params(synthesize={key: value})
    with pytest.raises(PipelineError, match=message):
        synthesize.main()
    assert nothing_written(OUTPUTS)


def test_predictions_of_another_length_are_refused(workplace):
    write_predictions(Path("data/quantized_test.npy"), workplace[:-1])
    with pytest.raises(ArtifactError, match=r"expected shape \(600,\)"):
        synthesize.main()


def test_an_inconsistent_network_is_refused(workplace):
    Path("models/integer.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"models/integer\.json"):
        synthesize.main()


def test_vendor_tools_are_reported_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "none of AMD's tools on PATH" in synthesize.vendor_tools()
    tool = tmp_path / "vitis-run"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    assert synthesize.vendor_tools() == "AMD's tools on PATH: vitis-run (not run by this stage)"
