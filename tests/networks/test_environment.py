"""What is set before TensorFlow starts, and what of the user's own settings is kept."""

import importlib
import os

import pytest

import pipeline.base.tensorflow_environment


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, "--xla_cpu_multi_thread_eigen=false"),
        ("--xla_dump_to=a", "--xla_dump_to=a --xla_cpu_multi_thread_eigen=false"),
        ("--xla_cpu_multi_thread_eigen=true", "--xla_cpu_multi_thread_eigen=true"),
        ("flags.txt", "--xla_cpu_multi_thread_eigen=false"),
        (
            "--xla_cpu_enable_fast_math=true --xla_dump_to=a",
            "--xla_dump_to=a --xla_cpu_multi_thread_eigen=false",
        ),
    ],
)
def test_small_products_are_not_shared_out_unless_asked_for(monkeypatch, given, wanted):
    monkeypatch.setenv("XLA_FLAGS", "")  # so that it is put back afterwards
    if given is None:
        monkeypatch.delenv("XLA_FLAGS")
    else:
        monkeypatch.setenv("XLA_FLAGS", given)
    importlib.reload(pipeline.base.tensorflow_environment)
    assert os.environ["XLA_FLAGS"] == wanted
