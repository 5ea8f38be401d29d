"""Stacks beside Keras: both sides train, and the table compares them."""

from __future__ import annotations

import pytest

from benchmarks import stacks
from tests.benchmarks.conftest import table


def test_both_sides_train(workplace, capsys):
    stacks.main(["--networks", "1", "9", "--epochs", "1"])
    rows = table(capsys.readouterr().out)
    for name in ("keras, 1", "stack, 1", "stack, 9"):
        speed, times, peak = rows[name]
        assert float(speed.split()[0]) > 0
        assert float(times.split()[0]) > 0
        assert float(peak.split()[0]) > 100
    assert rows["keras, 1"][1] == "1 [1, 1]"


def test_ratios_are_those_of_neighbours(monkeypatch, capsys):
    speeds = iter([1.0, 4.0, 2.0, 6.0])
    monkeypatch.setattr(
        stacks,
        "contender",
        lambda *_: {"network_epochs_per_second": next(speeds), "peak_mb": 500.0},
    )
    stacks.main(["--networks", "8", "--repeats", "2"])
    assert table(capsys.readouterr().out)["stack, 8"][1] == "3.5 [3, 4]"


def test_a_side_is_called_with_its_numbers(monkeypatch):
    called = []
    monkeypatch.setattr(stacks, "contender", lambda *arguments: called.append(arguments) or {})
    stacks.run("stack", 16, 3, 2)
    assert called == [("benchmarks.stacks", "--side", "stack", "16", "3", "2")]


@pytest.mark.parametrize("side", ["keras", "stack"])
def test_a_side_reports(workplace, monkeypatch, side):
    reported = {}
    monkeypatch.setattr(stacks, "report", lambda **figures: reported.update(figures))
    stacks.main(["--side", side, "2", "1", "0"])
    assert reported["network_epochs_per_second"] == pytest.approx(2 / reported["seconds"])
