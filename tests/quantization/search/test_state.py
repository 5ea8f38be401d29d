"""The state of a search: what is kept, what it goes on with, what is set aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from pipeline.base.weights import save_weights
from pipeline.params import load_params
from pipeline.params.network import SearchParams
from pipeline.quantization.search import state as search_state
from pipeline.quantization.search.results import outcome_of, search_result
from pipeline.quantization.search.trials.network_tuner import check_complete
from tests.imports import ROOT, local_imports
from tests.quantization.search.made_up_search import (
    ARCHITECTURE,
    DIRECTORY,
    PARAMS,
    WEIGHTS,
    MadeUpTrainer,
    search,
    search_params,
)

MODES = ["halving", "random", "bayesian", "hyperband"]


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interrupted", [0, 2, 5])  # of halving: 6 first trials, 2 survivors
def test_a_killed_search_goes_on_with_the_trials_it_has(mode, interrupted):
    assert_goes_on(search_params(mode=mode), interrupted)


@pytest.mark.parametrize("interrupted", [6, 7])
def test_a_killed_halving_goes_on_where_survivors_train_on(interrupted):
    assert_goes_on(search_params(mode="halving"), interrupted)


@pytest.mark.slow
@pytest.mark.parametrize("interrupted", [8, 9, 12])
def test_a_killed_descent_goes_on_in_the_middle_of_a_round(interrupted):
    assert_goes_on(search_params(mode="halving", descents=6), interrupted)


@pytest.mark.slow
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
    results = [search_result(outcome_of([tuner]), 58.3) for tuner in (resumed, undisturbed)]
    assert results[0] == results[1]
    trained = killed.trained + second.trained
    assert len(set(trained)) == len(trained) == undisturbed.trials_asked


def test_a_finished_search_trains_nothing_when_started_again():
    first = search(search_params())
    again = MadeUpTrainer()
    assert search(search_params(), again).records() == first.records()
    assert again.trained == []


FILES = [
    "oracle.json",
    "tuner0.json",
    "trial_0/trial.json",
    "record_0.json",
    "weights_0.h5",
    "checkpoint_0.h5",
    "float_6.h5",
]


@pytest.mark.slow
@pytest.mark.parametrize("size", ["empty", "truncated"])
@pytest.mark.parametrize("file", FILES)
def test_a_broken_state_is_set_aside_with_a_warning(file, size, capsys):
    params = search_params(mode="halving")
    complete = search(params).records()
    save_weights(DIRECTORY / "float_6.h5", {f"1/{name}": w for name, w in WEIGHTS.items()})
    search_state.set_aside_if_broken(DIRECTORY)
    broken = DIRECTORY / file
    broken.write_bytes(broken.read_bytes()[: {"empty": 0, "truncated": -5}[size]])
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
        assert len(trainer.trained) == 6 + 2
        broken.write_bytes(left)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("oracle.json", "{}", "expected 'start_order', found []"),
        ("oracle.json", "[]", "expected a JSON object, found list"),
        ("trial_0/trial.json", '{"score": 1}', "expected 'status', found ['score']"),
        ("record_0.json", '{"trial": "0"}', "quantizers: Field required"),
        ("weights_0.h5", None, "missing, but record_0.json is there"),
    ],
)
def test_a_state_that_is_not_what_its_names_say_is_set_aside(file, content, message, capsys):
    search(search_params())
    broken = DIRECTORY / file
    if content is None:
        broken.unlink()
    else:
        broken.write_text(content)
    capsys.readouterr()
    search_state.set_aside_if_broken(DIRECTORY)
    assert capsys.readouterr().err.startswith(f"warning: {broken}: {message}")
    assert not DIRECTORY.exists()


def test_weights_that_are_no_numbers_are_set_aside(capsys):
    search(search_params())
    broken = DIRECTORY / "weights_0.h5"
    save_weights(broken, WEIGHTS | {"dense/bias": np.array([np.nan])})
    search_state.set_aside_if_broken(DIRECTORY)
    assert f"warning: {broken}: dense/bias: not finite" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["worker0", "chief", None])
def test_only_a_worker_leaves_a_broken_state_to_its_chief(name, monkeypatch, tmp_path):
    file = tmp_path / "input"
    file.write_text("x")
    energy = load_params(PARAMS).energy
    state = search_state.open_state([file], search_params(), energy, ARCHITECTURE, "auto")
    state.mkdir(parents=True)
    (state / "oracle.json").write_text("{")
    if name is not None:
        monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
        monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "1234")
        monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
    search_state.open_state([file], search_params(), energy, ARCHITECTURE, "auto")
    assert state.exists() == (name == "worker0")


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


@pytest.mark.parametrize("key", ["quantization_config", "limit"])
def test_the_order_of_lists_is_part_of_the_state(key, tmp_path):
    """Oracles draw by the place in a list, and the first limit that fits a layer holds."""
    file = tmp_path / "input"
    file.write_text("x")
    given = getattr(search_params(), key)
    turned = dict(reversed(given.items()))
    orders = [given, turned]
    if key == "quantization_config":
        orders.append(given | {"kernel": dict(reversed(given["kernel"].items()))})
    found = {state_of(file, **{key: order}) for order in orders}
    assert len(found) == len(orders)


def state_of(file: Path, **changed: Any) -> Path:
    params = search_params(**changed)
    return search_state.open_state([file], params, load_params(PARAMS).energy, ARCHITECTURE, "auto")


def test_the_state_belongs_to_the_code_that_trains_prices_and_draws_trials():
    files = {file.relative_to(ROOT) for file in search_state.code_files()}
    needed = local_imports(Path("pipeline/quantization/search/run.py"))
    values_count = {file for file in needed if "params" in file.parts}
    words = {Path("pipeline/base/errors.py"), Path("pipeline/base/identifiers.py")}
    packages = {file for file in needed if file.name == "__init__.py"}
    assert needed - values_count - words - packages <= files
    assert (
        Path("pipeline/quantization/training/trainer.py") in files
    )  # constants of a trial's training
    assert Path("pipeline/networks/stack/core.cpp") in files
    assert not any("firmware" in file.parts for file in files)


def test_the_state_belongs_to_every_module_of_that_code(monkeypatch, tmp_path):
    file = tmp_path / "input"
    file.write_text("x")
    before = state_of(file)
    module = tmp_path / "trial.py"
    own = search_state.code_files()
    monkeypatch.setattr(search_state, "code_files", lambda: [*own, module])
    module.write_text("START_EPOCHS = 8")
    first = state_of(file)
    module.write_text("START_EPOCHS = 9")
    assert len({before, first, state_of(file)}) == 3


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


def test_uniform_networks_keep_the_trials(tmp_path):
    file = tmp_path / "input"
    file.write_text("x")
    energy = load_params(PARAMS).energy

    def state(**changed):
        return search_state.open_state(
            [file], search_params(**changed), energy, ARCHITECTURE, "auto"
        )

    assert state() == state(uniform_bits=[5])
    for mode in ("random", "bayesian"):
        assert state(mode=mode) == state(mode=mode, max_trials=7)
    changes: list[dict[str, Any]] = [
        {}, {"seed": 43}, {"tune_filters": "layer"}, {"blocks": ["rnn", "d"]}, {"epochs": 4},
        {"first_epochs": 2}, {"survivors": 3}, {"descents": 1}, {"batch_size": 8},
        {"learning_rate": 0.1},
        {"transfer_weights": False}, {"input_quantizer": "quantized_bits(9)"},
        {"mode": "halving"}, {"mode": "halving", "max_trials": 7},
        {"blocks": ["rnn", "d"], "max_trials": 7}, {"early_stopping_patience": 3},
    ]  # fmt: skip
    assert len({state(**change) for change in changes}) == len(changes)
