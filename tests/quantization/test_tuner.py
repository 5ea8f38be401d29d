"""The search, with a trainer that makes losses up: which trials run, how often, which wins."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from pipeline.params import load_params
from pipeline.params.network import SearchParams
from pipeline.quantization import search_state
from pipeline.quantization.cost import CostModel
from pipeline.quantization.energy import float_network
from pipeline.quantization.results import (
    outcome_of,
    pareto_table,
    search_metrics,
    search_result,
)
from pipeline.quantization.runner import Reference, SearchError, TrialRunner, float_reference
from pipeline.quantization.score import forgiving_delta
from pipeline.quantization.search_space import build_search_space, network_layers
from pipeline.quantization.trial import QatResult, QatSettings, TrialRecord, cosine_decay
from pipeline.quantization.tuner import QuantizationTuner, best_of, check_complete
from pipeline.rnn.fitting import FitResult

MODES = ["random", "bayesian", "hyperband"]
WEIGHTS = {"rnn/kernel": np.zeros((1, 2), np.float32), "dense/bias": np.zeros(1, np.float32)}
DIRECTORY = Path("state/search")
REFERENCE_LOSS = 1e-5


class MadeUpTrainer:
    """A `QatTrainer` whose loss follows from the quantisers, the seed and the epochs.

    The loss is the trained weight itself, so `validation_loss` finds it again.
    `fail` and `interrupt` hold numbers of calls of `fit`, from 0.
    """

    def __init__(self, fail: tuple[int, ...] = (), interrupt: int | None = None) -> None:
        self.fail = fail
        self.interrupt = interrupt
        self.trained: list[str] = []
        self.settings: list[QatSettings] = []
        self.started_from: list[Any] = []
        self.calls = 0

    def fit(self, quantizers, initial_weights, settings, description):
        call, self.calls = self.calls, self.calls + 1
        if call == self.interrupt:
            raise KeyboardInterrupt
        if call in self.fail:
            raise FloatingPointError(f"the loss is not finite in call {call}")
        self.trained.append(description)
        self.settings.append(settings)
        self.started_from.append(initial_weights)
        loss = np.float32(1e-5 * (1 + self.penalty(quantizers, settings)))
        weights = {**WEIGHTS, "dense/bias": np.array([loss])}
        fit = FitResult(loss=[float(loss)] * settings.epochs)
        return QatResult(weights, float(loss), fit, dead=False)

    @staticmethod
    def penalty(quantizers, settings):
        bits = sum(2.0**-quantizer.bits for quantizer in quantizers.values())
        return bits + (settings.seed * 2654435761 % 1000) / 1e4 + 0.1 / settings.epochs

    def validation_loss(self, quantizers, weights):
        return float(weights["dense/bias"][0]) if quantizers else REFERENCE_LOSS


def search_params(**changed: Any) -> SearchParams:
    changed = {"max_trials": 6, "epochs": 3, "tune_filters": "none", **changed}
    tree = load_params(PARAMS).search.model_dump()
    tree["goal"]["max_rmse_ratio"] = None
    return SearchParams.model_validate({**tree, **changed})


PARAMS = Path(__file__).parents[2] / "params.yaml"
SMALL: dict[str, Any] = {  # 2 * 2 combinations
    "quantization_config": {
        "kernel": {"quantized_bits(4,0,0,alpha=1)": 4, "quantized_bits(8,0,0,alpha=1)": 8},
        "recurrent_kernel": {
            "quantized_bits(5,0,0,alpha=1)": 5,
            "quantized_bits(7,0,0,alpha=1)": 7,
        },
        "bias": {"quantized_bits(8,0,0,alpha=1)": 8},
        "activation": {"quantized_relu(8,0)": 8},
        "state": {"quantized_relu(8,0)": 8},
    },
    "limit": {"SimpleRNN": 8, "Dense": [["quantized_bits(8,0,0,alpha=1)"], 8, 8]},
}


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_tuner(params: SearchParams, trainer: MadeUpTrainer, directory: Path = DIRECTORY):
    costs = CostModel(
        float_network("SimpleRNN", 8, 5), load_params(PARAMS).energy, params.goal.type
    )
    reference = float_reference(trainer, WEIGHTS, costs)
    runner = TrialRunner(params, trainer, costs, reference, WEIGHTS, 16.0, directory)
    return QuantizationTuner(runner, build_search_space(params, network_layers("SimpleRNN")))


def search(params: SearchParams, trainer: MadeUpTrainer | None = None, directory=DIRECTORY):
    tuner = make_tuner(params, trainer or MadeUpTrainer(), directory)
    tuner.search()
    return tuner


@pytest.mark.parametrize("mode", MODES)
def test_every_trial_that_was_asked_for_completes(mode):
    trainer = MadeUpTrainer()
    tuner = search(search_params(mode=mode, max_trials=20), trainer)
    check_complete(tuner)
    records = tuner.records()
    assert len(records) == tuner.trials_asked == len(trainer.trained)
    assert [int(record.trial) for record in records] == list(range(len(records)))
    assert tuner.failures() == {}
    metrics = search_metrics(outcome_of([tuner]))
    assert metrics["trials_asked"] == metrics["trials_completed"] == len(records)
    assert metrics["trials_failed"] == 0
    result = search_result(outcome_of([tuner]))
    assert result["best"] == best_of(records).trial
    assert (
        len(result["trials"])
        == len(pareto_table(outcome_of([tuner]), 100.0)["score"])
        == len(records)
    )
    json.dumps([result, metrics], allow_nan=False)
    if mode == "hyperband":  # two brackets of 3 epochs: 3 + 1 trials, and 2
        assert [settings.epochs for settings in trainer.settings] == [1, 1, 1, 3, 3, 3][
            : len(records)
        ]
    else:
        assert len(records) == 20
        assert len({tuple(record.quantizers.items()) for record in records}) == 20


def test_a_record_says_what_was_trained_and_scored():
    trainer = MadeUpTrainer()
    tuner = search(search_params(max_trials=3, seed=100), trainer)
    for number, record in enumerate(tuner.records()):
        loss = float(tuner.weights(record.trial)["dense/bias"][0])
        assert record.seed == 100 + number == trainer.settings[number].seed
        assert record.epochs == 3
        assert record.validation_rmse_mev == pytest.approx(np.sqrt(loss) * 16_000)
        assert record.quality == pytest.approx(np.sqrt(REFERENCE_LOSS / loss))
        goal = tuner.params.goal.model_dump(exclude={"type", "max_rmse_ratio"})
        assert record.delta == forgiving_delta(tuner.runner.reference.cost, record.cost, **goal)
        assert record.score == pytest.approx(record.quality * (1 + record.delta))
        assert record.cost == pytest.approx(record.energy_nj * 1000)
        assert set(record.quantizers) >= {"input", "rnn/state", "dense/activation"}


def test_the_goal_bits_costs_bits():
    goal = {**search_params().goal.model_dump(), "type": "bits"}
    tuner = search(search_params(max_trials=2, goal=goal, **SMALL))
    for record in tuner.records():
        assert record.cost > record.weight_bits > record.energy_nj
    assert tuner.runner.reference.cost > max(record.cost for record in tuner.records())
    assert search_metrics(outcome_of([tuner]))["reference_energy_nj"] < 1


@pytest.mark.parametrize("transfer", [True, False])
def test_trials_start_from_the_float_weights_or_from_new_ones(transfer):
    trainer = MadeUpTrainer()
    search(search_params(max_trials=2, transfer_weights=transfer), trainer)
    assert trainer.started_from == ([WEIGHTS] * 2 if transfer else [None] * 2)


def test_hyperband_goes_on_from_the_weights_of_the_shorter_trial():
    trainer = MadeUpTrainer()
    tuner = search(search_params(mode="hyperband"), trainer)
    continued = [
        (settings.epochs, start["dense/bias"][0])
        for settings, start in zip(trainer.settings, trainer.started_from, strict=True)
        if start["dense/bias"][0] > 0
    ]
    assert len(continued) == 1
    epochs, loss = continued[0]
    assert epochs == 3
    short = [record for record in tuner.records() if record.epochs == 1]
    assert np.sqrt(loss) * 16_000 == pytest.approx(best_of(short).validation_rmse_mev)


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_asks_for_the_same_trials(mode):
    params = search_params(mode=mode, max_trials=8)
    first = search(params, directory=Path("a/s")).records()
    again = search(params, directory=Path("b/s")).records()
    assert first == again
    other = search(search_params(mode=mode, max_trials=8, seed=43), directory=Path("c/s"))
    assert [r.quantizers for r in other.records()] != [r.quantizers for r in first]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("failing", [(1,), (0, 1, 2, 3)])
def test_failed_trials_are_counted_and_the_search_fails(mode, failing, capsys):
    trainer = MadeUpTrainer(fail=failing)
    tuner = search(search_params(mode=mode), trainer)
    failures = tuner.failures()
    assert len(failures) == len(failing)
    expected = rf"{len(failing)} failed \(FloatingPointError: the loss is not finite in call "
    with pytest.raises(SearchError, match=expected) as caught:
        check_complete(tuner)
    completed = len(tuner.records())
    assert f"{tuner.trials_asked} trials asked, {completed} completed" in str(caught.value)
    assert completed == trainer.calls - len(failing)
    assert (
        search_metrics(outcome_of([tuner]))["trials_failed"] == len(failing) if completed else True
    )
    errors = capsys.readouterr().err
    for identity in failures:
        assert f"trial {identity} failed: FloatingPointError" in errors


@pytest.mark.parametrize("mode", ["random", "hyperband"])
def test_failed_trials_get_another_chance_when_the_search_starts_again(mode):
    params = search_params(mode=mode)
    undisturbed = search(params, directory=Path("a/s")).records()
    first = MadeUpTrainer(fail=(1,))
    assert len(search(params, first).failures()) == 1
    second = MadeUpTrainer()
    tuner = search(params, second)
    check_complete(tuner)
    assert "trial 1" in " ".join(second.trained).replace("trial 000", "trial ")
    assert not set(first.trained) & set(second.trained)
    if mode == "random":
        assert tuner.records() == undisturbed
        assert second.trained == ["trial 1"]


@pytest.mark.parametrize("mode", ["random", "hyperband"])
def test_a_space_that_is_too_small_is_an_error_with_the_counts(mode):
    params = search_params(mode=mode, max_trials=9, epochs=20, **SMALL)
    tuner = search(params)
    completed = len(tuner.records())
    assert completed == 4
    key = "search.max_trials" if mode == "random" else "search.epochs"
    expected = rf"{key}: {tuner.trials_asked} trials asked, 4 completed, 0 failed \(no combination"
    with pytest.raises(SearchError, match=expected):
        check_complete(tuner)
    assert tuner.trials_asked > 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interrupted", [0, 2, 5])
def test_a_killed_search_goes_on_with_the_trials_it_has(mode, interrupted):
    assert_goes_on(search_params(mode=mode), interrupted)


def test_a_killed_bayesian_search_goes_on_where_the_gaussian_process_chooses(monkeypatch):
    """It does so once there are three trials for each of the choices, here at trial 6.

    The descent from random starting points mostly ends in the same optimum, whatever
    the points are. Without the descent the best of the points themselves is chosen.
    """
    original = scipy.optimize.minimize

    def stay(function, x0, **options):
        if function.__name__ != "_upper_confidence_bound":
            return original(function, x0, **options)
        return scipy.optimize.OptimizeResult(x=x0, fun=function(x0))

    monkeypatch.setattr(scipy.optimize, "minimize", stay)
    bits = range(2, 9)
    config = {
        "kernel": {f"quantized_bits({n},0,0,alpha=1)": n for n in bits},
        "bias": {f"quantized_bits({n},0,0,alpha=1)": n for n in bits},
        "activation": {"quantized_relu(8,0)": 8},
    }
    params = search_params(
        mode="bayesian", max_trials=11, layer_indexes=[2],
        quantization_config=config, limit={"Dense": 8},
    )  # fmt: skip
    assert_goes_on(params, 9)


def test_bayesian_search_chooses_for_itself_within_the_default_trials():
    """Only decisions with a choice count: 2 kernels, 2 activations, ... of nine in all."""
    params = {"max_trials": 20, "tune_filters": "none"}
    random, bayesian = (
        [
            record.quantizers
            for record in search(search_params(mode=mode, **params), directory=path).records()
        ]
        for mode, path in (("random", Path("a/s")), ("bayesian", Path("b/s")))
    )
    assert bayesian[:12] == random[:12]  # three for each of four
    assert bayesian[12:] != random[12:]


def assert_goes_on(params: SearchParams, interrupted: int) -> None:
    undisturbed = search(params, directory=Path("a/s"))
    killed = MadeUpTrainer(interrupt=interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(params, killed)
    assert len(killed.trained) == interrupted
    second = MadeUpTrainer()
    resumed = search(params, second)
    check_complete(resumed)
    assert resumed.records() == undisturbed.records()
    assert search_result(outcome_of([resumed])) == search_result(outcome_of([undisturbed]))
    trained = killed.trained + second.trained
    assert len(set(trained)) == len(trained) == undisturbed.trials_asked


def test_a_finished_search_trains_nothing_when_started_again():
    first = search(search_params())
    again = MadeUpTrainer()
    assert search(search_params(), again).records() == first.records()
    assert again.trained == []


def record(trial: str, score: float) -> TrialRecord:
    return TrialRecord(trial, {}, 1, 1, score, 1.0, 0.0, 1.0, 1.0, 1.0, 50.0, 8, 1e-3, False)


def test_the_best_trial_is_the_earlier_one_of_equals():
    records = [record("00", 0.5), record("02", 0.9), record("10", 0.9), record("11", 0.1)]
    assert best_of(records).trial == "02"
    assert best_of(records[::-1]).trial == "02"
    assert best_of([replace(records[0], score=0.91), *records]).trial == "00"


def test_verify_accepts_what_was_trained_and_detects_other_weights():
    tuner = search(search_params(max_trials=2))
    best = best_of(tuner.records())
    tuner.verify(best)
    file = tuner.state / f"weights_{best.trial}.h5"
    other = next(r for r in tuner.records() if r.trial != best.trial)
    file.write_bytes((tuner.state / f"weights_{other.trial}.h5").read_bytes())
    with pytest.raises(SearchError, match=rf"trial {best.trial}: scored .* stored weights give"):
        tuner.verify(best)
    with pytest.raises(SearchError, match="stored weights give"):
        search_result(outcome_of([tuner]))


def test_verify_detects_a_changed_record():
    tuner = search(search_params(max_trials=2))
    best = best_of(tuner.records())
    with pytest.raises(SearchError, match="stored weights give"):
        tuner.verify(replace(best, validation_rmse_mev=best.validation_rmse_mev * 0.99))


@pytest.mark.parametrize("file", ["oracle.json", "tuner0.json", "trial_0/trial.json"])
def test_a_broken_state_is_set_aside_with_a_warning(file, capsys):
    params = search_params()
    complete = search(params).records()
    broken = DIRECTORY / file
    broken.write_text(broken.read_text()[:-5])
    left = broken.read_bytes()
    for number in range(2):
        search_state.set_aside_if_broken(DIRECTORY)
        kept = DIRECTORY.with_name(f"search.broken{number}")
        warning = capsys.readouterr().err
        assert warning.startswith("warning: ")
        assert str(broken) in warning
        assert str(kept) in warning
        assert not DIRECTORY.exists()
        assert (kept / file).read_bytes() == left
        trainer = MadeUpTrainer()
        assert search(params, trainer).records() == complete
        assert len(trainer.trained) == 6
        broken.write_bytes(left)


def test_a_sound_or_missing_state_is_left_alone(capsys):
    search_state.set_aside_if_broken(DIRECTORY)
    search(search_params())
    before = sorted(DIRECTORY.rglob("*"))
    capsys.readouterr()
    search_state.set_aside_if_broken(DIRECTORY)
    assert sorted(DIRECTORY.rglob("*")) == before
    assert capsys.readouterr().err == ""
    search_state.discard(DIRECTORY)
    assert not DIRECTORY.exists()
    search_state.discard(DIRECTORY)


def test_the_state_belongs_to_data_weights_and_settings():
    data, weights = Path("prepared.h5"), Path("weights.h5")
    data.write_bytes(b"data")
    weights.write_bytes(b"weights")
    settings = {"search": asdict_of(search_params()), "network": ["SimpleRNN", 8, 5]}

    def directory(**changed):
        return search_state.state_directory([data, weights], {**settings, **changed})

    first = directory()
    assert directory() == first
    assert first.parent == search_state.STATE_ROOT
    found = {first, directory(search=asdict_of(search_params(seed=7)))}
    found.add(directory(network=["SimpleRNN", 9, 5]))
    data.write_bytes(b"Data")
    found.add(directory())
    data.write_bytes(b"data")
    weights.write_bytes(b"Weights")
    found.add(directory())
    assert len(found) == 5


def asdict_of(params: SearchParams) -> dict[str, Any]:
    return params.model_dump()


def test_settings_and_references_are_plain():
    assert asdict(Reference(1.0, 2.0)) == {"loss": 1.0, "cost": 2.0}
    settings = QatSettings(epochs=4, batch_size=1, learning_rate=0.1, seed=1)
    rates = [cosine_decay(settings).schedule(epoch, 0.0) for epoch in range(5)]
    assert rates == pytest.approx([0.1, 0.0853553, 0.05, 0.0146447, 0], rel=1e-5)


def test_a_trial_that_the_oracle_does_not_know_of_is_asked_for_again():
    """A kill came between the two files; keras-tuner would count it and never run it."""
    params = search_params()
    undisturbed = search(params, directory=Path("a/s")).records()
    with pytest.raises(KeyboardInterrupt):
        search(params, MadeUpTrainer(interrupt=2))
    oracle = DIRECTORY / "oracle.json"
    state = json.loads(oracle.read_text())
    state["start_order"].remove("2")
    state["ongoing_trials"] = {}
    state["seed_state"] -= len(state["hyperparameters"]["space"])
    values = state["id_to_hash"].pop("2")
    state["tried_so_far"].remove(values)
    oracle.write_text(json.dumps(state))
    trainer = MadeUpTrainer()
    tuner = search(params, trainer)
    check_complete(tuner)
    assert tuner.records() == undisturbed
    assert trainer.trained == [f"trial {n}" for n in (2, 3, 4, 5)]


def test_a_trial_that_was_recorded_but_not_reported_is_not_trained_again():
    params = search_params()
    complete = search(params).records()
    for file in [*DIRECTORY.glob("trial_*/trial.json"), *DIRECTORY.glob("*.json")]:
        if not file.name.startswith("record_"):
            file.unlink()
    trainer = MadeUpTrainer()
    assert search(params, trainer).records() == complete
    assert trainer.trained == []


def test_workers_and_reference_points_keep_the_trials(tmp_path):
    file = tmp_path / "input"
    file.write_text("x")
    energy = load_params(PARAMS).energy

    def state(**changed):
        return search_state.open_state([file], search_params(**changed), energy, ["SimpleRNN", 8])

    assert state() == state(workers=3) == state(uniform_bits=[5]) == state(worker_timeout_s=1.0)
    different = [state(), state(seed=43), state(tune_filters="layer"), state(blocks=["rnn", "d"])]
    assert len(set(different)) == 4
