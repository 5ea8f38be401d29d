"""The stage ``survey`` on tiny networks: what it writes, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import survey
from pipeline.artifacts.candidates import Candidate, Candidates
from pipeline.artifacts.implementation import Implemented
from pipeline.artifacts.survey import SURVEY, Survey
from pipeline.base.errors import PipelineError
from pipeline.base.files import write_json
from pipeline.base.schema import read, write
from pipeline.firmware.survey.metrics import survey_metrics
from pipeline.firmware.survey.subjects import SurveyError
from pipeline.firmware.survey.survey import golden_rmse_mev
from pipeline.firmware.synthesis.implementation import Core
from pipeline.samples.prepared import Split
from tests.integers.networks import fixed, random_network
from tests.workplace import make_split, make_workplace, noise, nothing_written

NETWORK = random_network(5, 2, 2, weight=fixed(4, 1), sample=fixed(6, 3))
TRIAL = random_network(6, 3, 2, weight=fixed(4, 1), sample=fixed(6, 3))
UNIFORM = random_network(7, 2, 2, weight=fixed(4, 1), sample=fixed(6, 3))
OUTPUTS = ("metrics/survey.json", "models/survey.json")
BITS = {"rnn_kernel": 4, "rnn_recurrent_kernel": 4, "rnn_state": 5}
FINETUNE = {
    "energy_nj": 0.1, "validation_rmse_mev": 50.0, "weight_bits": 40.0, "bits": BITS,
}  # fmt: skip
FOUND = [
    Candidate(
        name=name, kind=kind, energy_pj=energy_pj, weight_bits=60, bits=BITS, network=network
    )
    for name, kind, energy_pj, network in (
        ("trial_01", "front", 10.0, TRIAL), ("uniform_4", "uniform", 30.0, UNIFORM),
    )
]  # fmt: skip


def make_splits() -> list[Split]:
    sizes = {"train": 50, "validation": 400, "test": 51}
    samples = {name: noise(size, 4.0) for name, size in sizes.items()}
    return [make_split(name, of, np.abs(of), window_length=2) for name, of in samples.items()]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_workplace(
        make_splits(),
        NETWORK,
        rtl={"top": "cell_rnn", "clock_period_ns": 2.0, "cells": 3},
        survey={"windows": 300, "netlist_windows": 100},
    )
    write_json(Path("metrics/finetune.json"), FINETUNE)
    write(Path("models/candidates.json"), Candidates(candidates=FOUND))


def unsynthesised(core: Core, family, timeout_s, work) -> Implemented:
    """Stand in for Yosys, which takes ten seconds for each network; area by its units."""
    units = len(core.network.rnn.bias.integers)
    area = {"lut": 100 * units, "ff": 10, "carry": 1, "dsp": 0, "bram": 0}
    return Implemented(
        name=family,
        title="a family",
        tool="no tool",
        resources=area,
        n_windows=100,
        mismatches=0,
    )


@pytest.mark.slow
def test_figures_are_written(workplace, monkeypatch, capsys):
    monkeypatch.setattr("pipeline.firmware.survey.survey.implement", unsynthesised)
    survey.main()
    metrics = json.loads(Path("metrics/survey.json").read_text())
    assert sorted(metrics) == ["finetuned", "trial_01", "uniform_4"]
    for figures in metrics.values():
        assert figures["stream"] == {"windows": 300, "mismatches": 0, "max_difference_mev": 0.0}
        assert figures["netlist"] == {"windows": 100, "mismatches": 0}
        assert figures["core"]["lut"] == 100 * figures["units"]
    assert metrics["finetuned"]["energy_pj"] == pytest.approx(100)
    assert metrics["trial_01"]["energy_pj"] == pytest.approx(10)
    rmse_mev = golden_rmse_mev(TRIAL, make_splits()[1])
    assert metrics["trial_01"]["validation_rmse_mev"] == pytest.approx(rmse_mev)
    networks = read(Survey, SURVEY).networks
    assert [(network.name, network.kind) for network in networks] == [
        ("finetuned", "finetuned"), ("trial_01", "front"), ("uniform_4", "uniform"),
    ]  # fmt: skip
    assert survey_metrics(networks) == metrics
    assert networks[1].bits == BITS
    assert "trial_01: " in capsys.readouterr().out


def test_the_finetuned_network_alone_is_simulated(workplace, monkeypatch):
    monkeypatch.setattr("pipeline.firmware.survey.survey.implement", unsynthesised)
    write(Path("models/candidates.json"), Candidates(candidates=[]))
    survey.main()
    ((name, figures),) = json.loads(Path("metrics/survey.json").read_text()).items()
    assert name == "finetuned"
    assert figures["stream"] == {"windows": 300, "mismatches": 0, "max_difference_mev": 0.0}
    assert [network.name for network in read(Survey, SURVEY).networks] == [name]


def test_a_network_that_differs_writes_nothing(workplace, monkeypatch):
    def differs(subject, *_):
        raise SurveyError(f"{subject.name}: stream differs; first in window 3")

    # Of several networks, whichever ends first would be named.
    write(Path("models/candidates.json"), Candidates(candidates=[]))
    monkeypatch.setattr("pipeline.firmware.survey.survey.survey", differs)
    with pytest.raises(PipelineError, match="finetuned: stream differs; first in window 3"):
        survey.main()
    assert nothing_written(OUTPUTS)


def test_candidates_that_are_none_are_refused(workplace):
    content = json.loads(Path("models/candidates.json").read_text())
    content["candidates"][1]["network"]["layers"][0]["kernel"]["integers"][0][0] = 99
    write_json(Path("models/candidates.json"), content)
    with pytest.raises(PipelineError, match=r"candidates\.json: candidates\.1\.network\.layers"):
        survey.main()
    assert nothing_written(OUTPUTS)
