"""Several processes, one search: keras-tuner's oracle service and its workers.

The process whose ``KERASTUNER_TUNER_ID`` contains ``chief`` answers for the
oracle at ``KERASTUNER_ORACLE_IP``:``KERASTUNER_ORACLE_PORT``; the others train
trials. ``processes.workers`` above 1 makes the stage the chief of local processes.
Unlike in keras-tuner, no worker leaves while a trial runs, so that the trial of
a worker that died goes to another one, and none waits for ever.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_chief, oracle_client
from keras_tuner.src.engine.trial import Trial, TrialStatus
from tqdm import tqdm

from pipeline.base.errors import say
from pipeline.quantization.search.cluster import ID, IP, PORT, local_parent, parent_variable
from pipeline.quantization.search.trials.network_tuner import (
    RECYCLED,
    NetworkTuner,
    name_and_phase,
    worker_id,
)
from pipeline.quantization.search.trials.runner import SearchError

Process = subprocess.Popen[bytes]

_POLL_S = 0.2
_GRACE_S = 5.0
# What a local process trains before a new one takes its place: 1.4 GB of compiled code.
_TRIALS_OF_A_PROCESS = 20


class Service(oracle_chief.OracleServicer):  # type: ignore[misc]
    """keras-tuner's service, which also knows who works on what, and since when.

    A worker that asks for another phase than this one came late, and is sent on to the
    next, or came early, and waits.
    """

    def __init__(self, oracle: Any, phase: int) -> None:
        super().__init__(oracle)
        self.phase = phase
        self.lock = threading.RLock()
        self.last_call = time.monotonic()
        self._heard: dict[str, float] = {}

    def CreateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Hand out a trial; while any still runs, no worker is sent away."""
        with self.lock:
            self._hear(request.tuner_id)
            _, asked = name_and_phase(request.tuner_id)
            if asked != self.phase:
                status = TrialStatus.STOPPED if asked < self.phase else TrialStatus.IDLE
                trial = Trial(self.oracle.get_space(), status=status)
                return protos.get_service().CreateTrialResponse(trial=trial.to_proto())
            trial = self.oracle.create_trial(request.tuner_id)
            if trial.status == TrialStatus.STOPPED and self.oracle.ongoing_trials:
                trial.status = TrialStatus.IDLE  # stay: a trial whose worker dies needs another
                self.oracle.tuner_ids.add(request.tuner_id)
            elif trial.status == TrialStatus.STOPPED:
                self.stop_triggered = True
            return protos.get_service().CreateTrialResponse(trial=trial.to_proto())

    def UpdateTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take a trial's metrics; without any, the call only says that its worker is alive."""
        with self.lock:
            self._hear(self._owner(request.trial_id))
            if request.metrics:
                return super().UpdateTrial(request, context)
            trial = self.oracle.trials[request.trial_id]
            return protos.get_service().UpdateTrialResponse(trial=trial.to_proto())

    def EndTrial(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take a trial back, from the first worker that ends it, where a silent one was only slow.

        Both have trained the same network with the same seed, and left the same files.
        """
        with self.lock:
            number, waiting = request.trial.trial_id, self.oracle._retry_queue
            owner = self._owner(number)
            self._hear(owner)
            if owner is None and number not in waiting:
                return protos.get_service().EndTrialResponse()
            if number in waiting:
                waiting.remove(number)
            return super().EndTrial(request, context)

    def _owner(self, trial_id: str) -> str | None:
        """Return the worker that has a trial now."""
        ongoing = self.oracle.ongoing_trials.items()
        return next((name for name, trial in ongoing if trial.trial_id == trial_id), None)

    def _hear(self, tuner_id: str | None) -> None:
        self.last_call = time.monotonic()
        if tuner_id is not None:
            self._heard[tuner_id] = self.last_call

    def finished(self) -> bool:
        """Whether every trial is over and every worker knows."""
        with self.lock:
            waiting = self.oracle.ongoing_trials or self.oracle.tuner_ids
            return bool(self.stop_triggered and not waiting)

    def release(self, tuner_id: str) -> None:
        """Give the trial of a worker that is gone to the next one that asks."""
        with self.lock:
            self.oracle.tuner_ids.discard(tuner_id)
            trial = self.oracle.ongoing_trials.pop(tuner_id, None)
            if trial is not None:
                self.oracle._retry_queue.append(trial.trial_id)
                name, _ = name_and_phase(tuner_id)
                say(
                    f"warning: worker {name} is gone; trial {trial.trial_id} goes to another",
                )

    def silent(self, timeout_s: float) -> list[str]:
        """Return workers that gave no sign of life for `timeout_s`, in a trial or between."""
        with self.lock:
            now = time.monotonic()
            known = {*self.oracle.ongoing_trials, *self.oracle.tuner_ids}
            return sorted(n for n in known if now - self._heard.setdefault(n, now) > timeout_s)


class LocalProcesses(dict[str, Process]):
    """Local workers by name; each can be started again under its name."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__()
        self._command = command

    def start(self, name: str) -> None:
        """Start a worker."""
        variables = {ID: name} | parent_variable()
        self[name] = subprocess.Popen(self._command, env=os.environ | variables)

    def start_recycled(self) -> None:
        """Start those anew that ended in order to be."""
        for name, process in list(self.items()):
            if process.poll() == RECYCLED:
                self.start(name)

    def end(self) -> None:
        """End all; one that does not listen is killed."""
        for process in self.values():
            process.terminate()
        for process in self.values():
            try:
                process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def local_workers(count: int, command: Sequence[str]) -> Iterator[LocalProcesses]:
    """Start `count` processes that will call this one; end those still there at the end.

    This process becomes the chief of a cluster on the loopback interface.
    """
    port = str(_free_port())
    variables = {IP: "127.0.0.1", PORT: port, ID: "chief"}
    processes = LocalProcesses(command)
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        for number in range(count):
            processes.start(f"worker{number}")
        yield processes
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        processes.end()


def serve(tuner: Any, processes: dict[str, Process], timeout_s: float) -> None:
    """Answer for the tuner's oracle until its search is over.

    Parameters
    ----------
    tuner
        A tuner, built in the chief's environment.
    processes
        Local workers by name; empty when workers run elsewhere.
    timeout_s
        How long a worker may give no sign of life; it gives one after each epoch.

    Raises
    ------
    SearchError
        If no worker is left, or none has called for `timeout_s`.
    """
    tuner.save()
    service = Service(tuner.oracle, tuner.phase)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(service, server)
    address = f"{os.environ[IP]}:{os.environ[PORT]}"
    try:
        server.add_insecure_port(address)
    except RuntimeError:
        raise SearchError(f"{IP}, {PORT}: cannot listen at {address}") from None
    server.start()
    try:
        with tqdm(total=tuner.trials_asked, desc="trials", unit="trial", disable=None) as bar:
            while not service.finished():
                time.sleep(_POLL_S)
                _look_after(service, processes, timeout_s)
                _show(service, tuner, bar)
            _show(service, tuner, bar)
    finally:
        server.stop(_GRACE_S).wait()
        tuner.save()


def _show(service: Service, tuner: Any, bar: Any) -> None:
    """Tell of trials that are over, and draw how many there are."""
    with service.lock:
        told = tuner.report()
        if told != bar.n:  # how many are asked for follows from those that are over
            bar.total, bar.n = tuner.trials_asked, told
    bar.refresh()


def _look_after(service: Service, processes: dict[str, Process], timeout_s: float) -> None:
    """Take trials from workers that are gone or silent; give up when all are."""
    if isinstance(processes, LocalProcesses):
        processes.start_recycled()
    gone = [name for name, process in processes.items() if process.poll() is not None]
    for name in gone:
        service.release(worker_id(name, service.phase))
    if processes and len(gone) == len(processes) and not service.finished():
        codes = sorted({str(process.returncode) for process in processes.values()})
        raise SearchError(
            f"processes.workers: all {len(gone)} workers ended (exit code {', '.join(codes)}) "
            "before the search did; started again, it goes on with the trials it has"
        )
    for tuner_id in service.silent(timeout_s):
        service.release(tuner_id)
        process = processes.get(name_and_phase(tuner_id)[0])
        if process is not None:
            process.kill()  # whatever it hangs in, it holds memory
    silent = time.monotonic() - service.last_call
    if silent > timeout_s and not service.oracle.ongoing_trials:
        raise SearchError(f"processes.worker_timeout_s: no worker has called for {silent:.0f} s")


def prepare_worker(timeout_s: float) -> None:
    """Make this worker end when its chief does not answer, or when a local chief is gone."""
    oracle_client.TIMEOUT = timeout_s
    parent = local_parent()
    if parent is not None:
        NetworkTuner.trials_left = _TRIALS_OF_A_PROCESS
        threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os._exit(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
