from __future__ import annotations

import random

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.errors import PipelineError
from pipeline.networks.runtime import make_strategy, seed_everything


def drawn(seed: int) -> tuple[float, float, float]:
    seed_everything(seed)
    return random.random(), np.random.random(), float(tf.random.uniform(()))  # noqa: NPY002


def test_a_seed_repeats_python_numpy_and_tensorflow():
    first, again, other = drawn(1), drawn(1), drawn(2)
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", ["auto", "cpu", "mirrored"])
def test_strategies_of_this_machine(name):
    strategy = make_strategy(name)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    assert strategy.num_replicas_in_sync == (len(devices) if name == "mirrored" else 1)
    kind = tf.distribute.Strategy if name == "mirrored" else tf.distribute.OneDeviceStrategy
    assert isinstance(strategy, kind)


def test_auto_takes_the_gpu_and_cpu_hides_it_first(monkeypatch):
    events = []
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [f"the {kind}"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *hidden: events.append(hidden))
    monkeypatch.setattr(tf.distribute, "OneDeviceStrategy", events.append)
    for name in ("auto", "gpu", "cpu"):
        make_strategy(name)
    assert events == ["/gpu:0", "/gpu:0", ([], "GPU"), "/cpu:0"]


def test_cpu_where_a_gpu_is_in_use_is_one_clear_line(monkeypatch):
    def fixed(*_):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", fixed)
    with pytest.raises(PipelineError, match=r"^train\.strategy: cpu: expected .*, found .*fixed"):
        make_strategy("cpu")


def test_gpu_memory_is_taken_as_needed_unless_the_gpu_is_in_use(monkeypatch):
    asked = []

    def grow(gpu, wanted):
        asked.append((gpu, wanted))
        if gpu == "in use":
            raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", grow)
    for gpus in (["first", "second"], ["in use", "third"]):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind, gpus=gpus: gpus)
        make_strategy("auto")
    assert asked == [("first", True), ("second", True), ("in use", True)]


def test_an_absent_gpu_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])
    with pytest.raises(PipelineError, match=r"train\.strategy: gpu: expected a GPU"):
        make_strategy("gpu")


@pytest.mark.parametrize("name", ["", "two_devices", "TPU"])
def test_an_unknown_strategy_is_named(name):
    with pytest.raises(PipelineError, match=rf"train\.strategy: unknown strategy '{name}'"):
        make_strategy(name)


@pytest.mark.parametrize("error", [ValueError, OSError, tf.errors.NotFoundError])
def test_an_absent_tpu_is_one_clear_line(monkeypatch, error):
    def connect():
        raise error(None, None, "many\nlines") if error is tf.errors.NotFoundError else error("x")

    resolver = tf.distribute.cluster_resolver.TPUClusterResolver
    monkeypatch.setattr(resolver, "connect", connect)
    words = rf"^train\.strategy: tpu: expected a reachable TPU, found none \({error.__name__}\)$"
    with pytest.raises(PipelineError, match=words):
        make_strategy("tpu")
