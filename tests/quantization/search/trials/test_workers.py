"""The oracle service: who gets which trial, and that nobody waits for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
from keras_tuner.src import protos
from keras_tuner.src.engine.trial import Trial, TrialStatus

from pipeline.quantization.search import cluster
from pipeline.quantization.search.trials import workers
from pipeline.quantization.search.trials.network_tuner import (
    RECYCLED,
    NetworkTuner,
    check_complete,
    worker_id,
)
from pipeline.quantization.search.trials.runner import SearchError
from tests.quantization.search.made_up_search import MadeUpTrainer, make_tuner, search_params


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def chief(monkeypatch):
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(workers._free_port()))
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")


class Request:
    def __init__(self, tuner_id="", trial=None):
        self.tuner_id = tuner_id
        self.trial = trial


def ask(service, name, phase=1):
    return service.CreateTrial(Request(worker_id(name, phase)), None).trial


def report(service, trial):
    service.oracle.update_trial(trial.trial_id, {"score": 1.0})
    trial.status = protos.get_proto().TrialStatus.Value("COMPLETED")
    service.EndTrial(Request(trial=trial), None)


def status(trial) -> str:
    return protos.get_proto().TrialStatus.Name(trial.status)


def make_service(**changed):
    tuner = make_tuner(search_params(max_trials=2, **changed), MadeUpTrainer())
    return workers.Service(tuner.oracle, phase=1)


def test_nobody_is_sent_away_while_a_trial_runs():
    service = make_service()
    first, second = ask(service, "a"), ask(service, "b")
    assert (first.trial_id, second.trial_id) == ("0", "1")
    assert status(ask(service, "c")) == "IDLE"
    report(service, first)
    assert status(ask(service, "a")) == "IDLE"
    report(service, second)
    assert not service.finished()
    assert [status(ask(service, name)) for name in "abc"] == ["STOPPED"] * 3
    assert service.finished()


def test_a_late_worker_is_sent_on_to_the_next_phase_and_an_early_one_waits():
    service = make_service()
    assert status(ask(service, "late", phase=0)) == "STOPPED"
    assert status(ask(service, "early", phase=2)) == "IDLE"
    assert not service.oracle.trials
    assert ask(service, "a").trial_id == "0"


def test_the_trial_of_a_worker_that_is_gone_goes_to_another(capsys):
    service = make_service()
    first, _ = ask(service, "a"), ask(service, "b")
    service.release(worker_id("a", 1))
    assert "warning: worker a is gone; trial 0" in capsys.readouterr().err
    again = ask(service, "c")
    assert again.trial_id == first.trial_id
    assert again.hyperparameters == first.hyperparameters
    service.release(worker_id("nobody", 1))
    assert capsys.readouterr().err == ""


@pytest.fixture
def clock(monkeypatch):
    """A time that goes on only when it is told to, s."""
    now = [1000.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    return now


def alive(service, trial):
    trial_id, metrics = trial.trial_id, {}
    service.UpdateTrial(SimpleNamespace(trial_id=trial_id, metrics=metrics, step=0), None)


def test_a_trial_may_be_long_but_not_silent(clock):
    service = make_service()
    trial = ask(service, "a")
    for _ in range(5):
        clock[0] += 50
        alive(service, trial)
    assert service.silent(60) == []
    clock[0] += 61
    assert service.silent(60) == [worker_id("a", 1)]


def test_a_worker_that_is_silent_between_trials_is_not_waited_for(clock):
    service = make_service()
    first, second = ask(service, "a"), ask(service, "b")
    report(service, first)
    report(service, second)
    clock[0] += 50
    assert status(ask(service, "a")) == "STOPPED"
    assert not service.finished()
    clock[0] += 20
    assert service.silent(60) == [worker_id("b", 1)]
    service.release(worker_id("b", 1))
    assert service.finished()


@pytest.mark.parametrize("taken", [False, True])
def test_a_worker_that_was_only_slow_may_still_bring_its_trial(taken):
    service = make_service()
    trial = ask(service, "slow")
    service.release(worker_id("slow", 1))
    if taken:
        assert ask(service, "other").trial_id == trial.trial_id
    report(service, trial)
    assert service.oracle.trials[trial.trial_id].status == TrialStatus.COMPLETED
    assert ask(service, "next").trial_id != trial.trial_id
    ended = list(service.oracle.end_order)
    report(service, trial)  # the other one brings the same
    assert service.oracle.end_order == ended


def test_a_worker_that_has_trained_enough_asks_to_be_started_anew(chief, monkeypatch):
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker0")
    tuner = make_tuner(search_params(max_trials=2), MadeUpTrainer(), Path("state/search"))
    monkeypatch.setattr(NetworkTuner, "trials_left", 1)
    tuner.pre_create_trial()
    tuner.on_trial_begin(SimpleNamespace(trial_id="0"))
    with pytest.raises(SystemExit) as caught:
        tuner.pre_create_trial()
    assert caught.value.code == RECYCLED


def test_a_worker_that_asks_for_it_is_started_anew():
    code = "import sys; from pathlib import Path; file = Path('seen'); again = file.exists();"
    code += f"file.touch(); sys.exit(3 if again else {RECYCLED})"
    processes = workers.LocalProcesses([sys.executable, "-c", code])
    processes.start("worker0")
    assert processes["worker0"].wait(30) == RECYCLED
    processes.start_recycled()
    second = processes["worker0"]
    assert second.wait(30) == 3
    processes.start_recycled()
    assert processes["worker0"] is second


def test_a_worker_that_does_not_listen_is_killed(monkeypatch):
    monkeypatch.setattr(workers, "_GRACE_S", 0.2)
    code = "import signal, time; from pathlib import Path; signal.signal(signal.SIGTERM, "
    code += "signal.SIG_IGN); Path('deaf').touch(); time.sleep(60)"
    with workers.local_workers(1, [sys.executable, "-c", code]) as processes:
        deadline = time.monotonic() + 30
        while not Path("deaf").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert processes["worker0"].returncode == -signal.SIGKILL


def test_a_silent_local_worker_is_killed_and_its_trial_goes_to_another(chief, clock):
    service = make_service()
    trial = ask(service, "worker0")
    hanging = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        clock[0] += 61
        report(service, ask(service, "worker1"))
        workers._look_after(service, {"worker0": hanging, "worker1": other}, 60)
        assert hanging.wait(30) == -signal.SIGKILL
        assert other.poll() is None
        assert ask(service, "worker1").trial_id == trial.trial_id
    finally:
        for process in (hanging, other):
            process.kill()
            process.wait()


def test_it_ends_when_all_local_workers_did(chief):
    tuner = make_tuner(search_params(max_trials=2), MadeUpTrainer())
    gone = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(
        SearchError, match=r"processes\.workers: all 1 workers ended \(exit code 3\)"
    ):
        workers.serve(tuner, {"worker0": gone}, 60)


def test_it_ends_when_no_worker_ever_calls(chief):
    tuner = make_tuner(search_params(max_trials=2), MadeUpTrainer())
    with pytest.raises(SearchError, match=r"processes\.worker_timeout_s: no worker has called"):
        workers.serve(tuner, {}, 0.3)


def test_two_tuners_over_grpc_run_every_trial_once(chief, monkeypatch):
    """In one process: the environment is only read while a tuner is made."""
    params = search_params(max_trials=6)
    tuner = make_tuner(params, MadeUpTrainer(), Path("state/search"))
    trainer = MadeUpTrainer()
    clients = []
    for name in ("worker0", "worker1"):
        monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
        clients.append(make_tuner(params, trainer, Path("state/search")))
    assert cluster.is_worker()
    threads = [threading.Thread(target=client.search) for client in clients]
    for thread in threads:
        thread.start()
    served = threading.Thread(target=workers.serve, args=(tuner, {}, 60))
    served.start()
    for thread in [*threads, served]:
        thread.join(timeout=120)
        assert not thread.is_alive()
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    assert sorted(trainer.trained) == [f"trial {n}" for n in range(6)]
    assert len(tuner.records()) == 6
    assert all(t.status == TrialStatus.COMPLETED for t in tuner.oracle.trials.values())


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_halving_with_workers_finds_what_one_process_does(chief, monkeypatch, order):
    """Survivors are chosen when all first trials are over, in whatever order they ended.

    The same goes for the rounds of a descent.
    """
    params = search_params(mode="halving", max_trials=6, survivors=3, descents=7)
    with monkeypatch.context() as alone:
        alone.delenv("KERASTUNER_ORACLE_IP")
        tuner = make_tuner(params, MadeUpTrainer(), Path("alone/search"))
        tuner.search()
        expected = tuner.records()
    chief_of_both = make_tuner(params, MadeUpTrainer(), Path("state/search"))
    service = workers.Service(chief_of_both.oracle, phase=1)
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker0")
    worker = make_tuner(params, MadeUpTrainer(), Path("state/search"))
    while True:
        asked = [ask(service, name) for name in ("a", "b")]
        running = [Trial.from_proto(t) for t in asked if status(t) == "RUNNING"]
        if not running:
            break
        for place in order[: len(running)] if len(running) == 2 else [0]:
            trial = running[place]
            service.oracle.update_trial(trial.trial_id, worker.run_trial(trial))
            trial.status = TrialStatus.COMPLETED
            service.EndTrial(Request(trial=trial.to_proto()), None)
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    assert len(expected) == 6 + 3 + 7
    assert chief_of_both.records() == expected


def test_the_chief_knows_why_a_trial_of_a_worker_failed(chief, monkeypatch):
    """keras-tuner's message that ends a trial says only that it failed."""
    params = search_params(max_trials=3)
    tuner = make_tuner(params, MadeUpTrainer(), Path("state/search"))
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "worker0")
    client = make_tuner(params, MadeUpTrainer(fail=(1,)), Path("state/search"))
    served = threading.Thread(target=workers.serve, args=(tuner, {}, 60))
    served.start()
    client.search()
    served.join(timeout=60)
    assert not served.is_alive()
    monkeypatch.setenv("KERASTUNER_TUNER_ID", "chief")
    message = "FloatingPointError: the loss is not finite in call 1"
    assert tuner.failures() == {"1": message}
    with pytest.raises(SearchError, match=rf"3 trials asked, 2 completed, 1 failed \({message}\)"):
        check_complete(tuner)


def test_a_port_in_use_is_an_error(chief):
    import os

    server = grpc.server(workers.futures.ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    server.add_insecure_port(f"127.0.0.1:{os.environ['KERASTUNER_ORACLE_PORT']}")
    server.start()
    tuner = make_tuner(search_params(max_trials=2), MadeUpTrainer())
    try:
        with pytest.raises(SearchError, match=r"cannot listen at 127\.0\.0\.1:"):
            workers.serve(tuner, {}, 1.0)
    finally:
        server.stop(0).wait()


def test_local_workers_are_told_where_and_who_they_are_and_ended():
    code = "import os, time; from pathlib import Path; name = os.environ['KERASTUNER_TUNER_ID'];"
    code += "Path(name + '.new').write_text(os.environ['PIPELINE_SEARCH_PARENT']);"
    code += "Path(name + '.new').rename(name); time.sleep(60)"
    files = [Path("worker0"), Path("worker1")]
    with workers.local_workers(2, [sys.executable, "-c", code]) as processes:
        parent = f"{os.getpid()}@{os.environ['KERASTUNER_ORACLE_PORT']}"
        assert sorted(processes) == ["worker0", "worker1"]
        assert cluster.in_cluster()
        assert not cluster.is_worker()
        deadline = time.monotonic() + 30
        while not all(file.exists() for file in files) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert [file.read_text() for file in files] == [parent] * 2
    assert all(process.poll() is not None for process in processes.values())
    assert not cluster.in_cluster()
    assert "KERASTUNER_TUNER_ID" not in os.environ
