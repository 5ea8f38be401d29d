"""One network surveyed: its RMSE, its RTL and its area, and what stops it."""

import os
from dataclasses import replace
from time import sleep

import numpy as np
import pytest

from pipeline.artifacts.candidates import Candidate
from pipeline.artifacts.finetune import FinetuneFigures
from pipeline.artifacts.implementation import Implemented
from pipeline.firmware.rtl.project import write_rtl
from pipeline.firmware.survey import survey as survey_module
from pipeline.firmware.survey.subjects import Subject, SurveyError, finetuned, searched
from pipeline.firmware.survey.survey import golden_rmse_mev, survey, survey_all
from pipeline.integers.compare import Comparison, MismatchError
from pipeline.integers.golden import evaluate
from pipeline.integers.network import IntegerNetwork
from pipeline.samples.prepared import GeometryError, Split
from tests.firmware.sections import rtl_params, survey_params
from tests.integers.networks import fixed, random_network
from tests.workplace import make_split

NETWORK = random_network(5, 2, 2, weight=fixed(4, 1), sample=fixed(6, 3))
SUBJECT = Subject("trial_07", "front", NETWORK, 12.5, 40, {"rnn_kernel": 4})
EQUAL = Comparison("stream", "golden", 300, 0, 0.0, 0.0, None, None)
CORE = Implemented(name="xcup", title="AMD", tool="-", resources={}, n_windows=0, mismatches=0)
HOW = rtl_params(), survey_params(), 300.0


def split_of(lag: int = 1) -> Split:
    samples, truth = np.random.default_rng(2).normal(0, 8, (2, 400)).astype(np.float32)
    return make_split("validation", samples, np.abs(truth), window_length=2, target_lag=lag)


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_the_rmse_is_that_of_the_golden_model_in_mev(lag):
    split = split_of(lag)
    errors = []
    for first in range(split.n_bc - 2):
        window = split.dig_et_gev[first : first + 2] / np.float32(16)
        reconstructed = 16 * evaluate(NETWORK, window[None].astype(np.float32))[0]
        errors.append(reconstructed - split.hit_et_gev[first + 2 - lag])
    expected = 1000 * np.sqrt(np.mean(np.square(errors)))
    assert golden_rmse_mev(NETWORK, split) == pytest.approx(expected, rel=1e-6)


def test_a_split_of_another_geometry_is_refused():
    with pytest.raises(GeometryError, match="window_length: the network has 2"):
        golden_rmse_mev(NETWORK, replace(split_of(), window_length=3))


@pytest.mark.slow
def test_a_network_is_built_simulated_and_synthesised():
    found = survey(SUBJECT, split_of(), *HOW)
    assert found.validation_rmse_mev == golden_rmse_mev(NETWORK, split_of())
    assert found.units == 2
    assert (found.stream.n_windows, found.stream.mismatches) == (300, 0)
    assert (found.core.name, found.core.n_windows, found.core.mismatches) == ("xcup", 100, 0)
    assert found.core.resources["lut"] > 50
    assert found.latency_ns == 2.0 * (found.design.stages + 1)
    assert found.float32_exact


def test_a_network_too_wide_for_float32_says_so(monkeypatch):
    wide = random_network(
        3, 2, 2, weight=fixed(16, 1), sample=fixed(12, 1),
        activation=fixed(16, 1, signed=False), output=fixed(12, 1, signed=False),
    )  # fmt: skip
    monkeypatch.setattr(survey_module, "check_stream", lambda *_, **__: EQUAL)
    monkeypatch.setattr(survey_module, "implement", lambda *_, **__: CORE)
    assert not survey(replace(SUBJECT, network=wide), split_of(), *HOW).float32_exact


@pytest.mark.slow
def test_rtl_of_another_network_stops_the_survey_and_is_named(monkeypatch):
    tree = NETWORK.model_dump()
    tree["layers"][0]["kernel"]["integers"][0][0] ^= 1
    other = IntegerNetwork.model_validate(tree)
    monkeypatch.setattr(survey_module, "write_rtl", lambda _, *rest: write_rtl(other, *rest))
    with pytest.raises(SurveyError, match=r"^trial_07: stream differs .* first in window \d+"):
        survey(SUBJECT, split_of(), *HOW)


def test_a_netlist_of_another_network_stops_the_survey_and_is_named(monkeypatch):
    def differs(*args):
        raise MismatchError("netlist_xcup differs; first in window 3")

    monkeypatch.setattr(survey_module, "check_stream", lambda *_, **__: EQUAL)
    monkeypatch.setattr(survey_module, "implement", differs)
    with pytest.raises(SurveyError, match=r"^trial_07: netlist_xcup differs; first in window 3"):
        survey(SUBJECT, split_of(), *HOW)


def test_the_largest_network_starts_first_and_the_first_failure_stops_the_rest(monkeypatch):
    started = []

    def fake(subject, *_):
        started.append(subject.name)
        if subject.name == "3":
            raise SurveyError("3: differs")
        sleep(0.05 if subject.name != "1" else 0.0)
        return subject.name

    monkeypatch.setattr(survey_module, "survey", fake)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    subjects = [replace(SUBJECT, name=str(n), weight_bits=100 - n) for n in range(40)]
    assert sorted(survey_all(subjects[2::-1], split_of(), *HOW)) == ["0", "1", "2"]
    assert sorted(started[:2]) == ["0", "1"]
    started.clear()
    with pytest.raises(SurveyError, match="3: differs"):
        list(survey_all(subjects, split_of(), *HOW))
    assert "3" in started
    assert len(started) < 40


def test_the_finetuned_network_has_the_figures_of_its_stage():
    figures = FinetuneFigures(
        energy_nj=0.0445, validation_rmse_mev=50.0, weight_bits=338.0, bits={"rnn_state": 9}
    )
    found = finetuned(NETWORK, figures)
    assert (found.name, found.kind, found.network) == ("finetuned", "finetuned", NETWORK)
    assert found.energy_pj == pytest.approx(44.5)
    assert (found.weight_bits, found.bits) == (338, {"rnn_state": 9})


def test_a_candidate_keeps_its_figures():
    candidate = Candidate(
        name="trial_07",
        kind="front",
        energy_pj=12.5,
        weight_bits=40,
        bits={"rnn_kernel": 4},
        network=NETWORK,
    )
    assert searched(candidate) == SUBJECT
