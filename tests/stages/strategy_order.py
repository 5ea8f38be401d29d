"""Checks that a stage makes its `tf.distribute` strategy before it places any data."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.networks import fitting, runtime


class _FarEnoughError(Exception):
    """Data are being placed: what a stage does then is not looked at."""


def assert_strategy_first(monkeypatch: pytest.MonkeyPatch, stage: Callable[[], None]) -> None:
    """Run a stage up to its first placement; a strategy of `train.strategy` must be given."""
    made = []

    def make(name: str) -> object:
        made.append(name)
        return made

    def place(split: object, strategy: object) -> None:
        assert strategy is made
        raise _FarEnoughError

    monkeypatch.setattr(runtime, "make_strategy", make)
    monkeypatch.setattr(fitting.WindowData, "from_split", place)
    with pytest.raises(_FarEnoughError):
        stage()
    assert made == ["auto"]
