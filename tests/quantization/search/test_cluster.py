"""What makes a process part of a search on a cluster, and variables that are left over."""

import os
import socket
import time

import pytest

from pipeline.quantization.search import cluster
from pipeline.quantization.search.cluster import ID, IP, PORT, ClusterError

NAMES = (IP, PORT, ID)


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    for name, value in zip(NAMES, ("127.0.0.1", "8000", "worker1"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIPELINE_SEARCH_PARENT", raising=False)


def test_all_three_or_none(monkeypatch):
    assert cluster.is_worker()
    monkeypatch.setenv(ID, "chief")
    assert cluster.in_cluster()
    assert not cluster.is_worker()
    for name in NAMES:
        monkeypatch.delenv(name)
    assert not cluster.in_cluster()


@pytest.mark.parametrize("given", [{}, {"": ""}, {" ": " "}])
@pytest.mark.parametrize("missing", [[IP], [PORT], [ID], [IP, PORT], [PORT, ID], [IP, ID]])
def test_half_an_environment_names_all_three(monkeypatch, missing, given):
    for name in missing:
        monkeypatch.delenv(name)
        for value in given:
            monkeypatch.setenv(name, value)
    with pytest.raises(ClusterError) as caught:
        cluster.in_cluster()
    assert all(name in str(caught.value) for name in NAMES)
    assert str(caught.value).endswith(f"found no value of {', '.join(missing)}")


@pytest.mark.parametrize("port", ["tcp://10.0.0.1:8000", "0", "65536", "-1", "1e3", "\u0661"])
def test_a_port_that_is_none(monkeypatch, port):
    monkeypatch.setenv(PORT, port)
    with pytest.raises(ClusterError, match=PORT):
        cluster.in_cluster()


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_chief_that_is_not_there_is_an_error_soon(monkeypatch, host):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv(PORT, str(probe.getsockname()[1]))
    monkeypatch.setenv(IP, host)
    start = time.monotonic()
    with pytest.raises(ClusterError, match=r"no chief answers at .* unset the three"):
        cluster.await_chief(0.3)
    assert time.monotonic() - start < 30


def test_a_chief_that_listens_is_found(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv(PORT, str(server.getsockname()[1]))
        cluster.await_chief(5.0)


@pytest.mark.parametrize("left_over", ["1", "1@7999", "x@8000", "@8000", ""])
def test_a_parent_of_another_search_is_none(monkeypatch, left_over):
    monkeypatch.setenv("PIPELINE_SEARCH_PARENT", left_over)
    assert cluster.local_parent() is None


def test_a_local_worker_knows_its_chief(monkeypatch):
    for name, value in cluster.parent_variable().items():
        monkeypatch.setenv(name, value)
    assert cluster.local_parent() == os.getpid()
