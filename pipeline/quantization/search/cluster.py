"""Whether this process is part of a search on a cluster, as keras-tuner's variables say it."""

from __future__ import annotations

import os
import socket
import time

from pipeline.base.errors import PipelineError

IP, PORT, ID = "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID"
_PARENT = "PIPELINE_SEARCH_PARENT"  # of a local worker: its parent's number, @, the port
_PORTS = 1 << 16
# How long a worker waits for its chief to listen: jobs of one cluster start minutes apart, and
# variables left over from another search should not cost ten.
START_S = 120.0
_CONNECT_S = 5.0
_POLL_S = 0.2


class ClusterError(PipelineError):
    """Variables that make no cluster, or name one that is not there."""


def in_cluster() -> bool:
    """Whether the environment makes this process part of a distributed search.

    Three variables together do. Some of them alone are left over, or were forgotten.

    Raises
    ------
    ClusterError
        If some are missing or empty, or the port is no port.
    """
    names = (IP, PORT, ID)
    if not any(name in os.environ for name in names):
        return False
    missing = [name for name in names if not os.environ.get(name, "").strip()]
    if missing:
        raise ClusterError(
            f"{', '.join(names)}: expected all of them, for a search on a cluster, or none; "
            f"found no value of {', '.join(missing)}"
        )
    port = os.environ[PORT]
    if not (port.isascii() and port.isdigit() and 0 < int(port) < _PORTS):
        raise ClusterError(f"{PORT}: expected a number from 1 to {_PORTS - 1}, found {port!r}")
    return True


def is_worker() -> bool:
    """Whether this process only trains trials of another process' search."""
    return in_cluster() and "chief" not in os.environ[ID]


def parent_variable() -> dict[str, str]:
    """Return what makes a child of this process, the chief, a local worker."""
    return {_PARENT: f"{os.getpid()}@{os.environ.get(PORT, '')}"}


def local_parent() -> int | None:
    """Return the number of the chief that has started this worker; None if none has.

    A number that was left over from another search goes with another port.
    """
    number, _, port = os.environ.get(_PARENT, "").partition("@")
    return int(number) if number.isdigit() and port == os.environ.get(PORT, "") else None


def await_chief(patience_s: float) -> None:
    """Wait, as a worker, until something listens at the chief's address.

    Raises
    ------
    ClusterError
        If nothing does for `patience_s` seconds; it names the variables and the address.
    """
    address = os.environ[IP], int(os.environ[PORT])
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with socket.create_connection(address, _CONNECT_S):
                return
        except OSError as error:
            reason = error.strerror or str(error)
        if time.monotonic() > deadline:
            raise ClusterError(
                f"{IP}, {PORT}, {ID}: they make this process a worker of a search on a "
                f"cluster, but no chief answers at {address[0]}:{address[1]} ({reason}) for "
                f"{patience_s:.0f} s: start the chief, or unset the three"
            )
        time.sleep(_POLL_S)
