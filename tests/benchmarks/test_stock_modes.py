"""The table of stock modes: what counts as running, and what of a failure is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks import stock_modes

TRACEBACK = """Traceback (most recent call last):
  File "x.py", line 3, in fit
    raise TypeError("no")
TypeError: Could not locate class 'Q'. Make sure that it is registered.
"""


def trials(*states):
    return [SimpleNamespace(status=status, message=message) for status, message in states]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([("COMPLETED", None), ("FAILED", TRACEBACK)], "runs: 1 of 2 trials"),
        ([("FAILED", TRACEBACK)], "every trial fails: TypeError: Could not locate class 'Q'"),
        ([], "no trial"),
    ],
)
def test_only_completed_trials_count(found, text):
    assert stock_modes.outcome(trials(*found)) == text


def test_a_table_has_a_row_for_each_mode_with_the_end_of_a_failed_process(monkeypatch, capsys):
    def run(command, **_):
        repaired = command[-1] == "repaired"
        output = "noise\nanswer: runs: 2 of 2 trials\n" if repaired else ""
        return SimpleNamespace(stdout=output, stderr=TRACEBACK)

    monkeypatch.setattr(stock_modes.subprocess, "run", run)
    stock_modes.main([])
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "| mode | as installed | repaired |"
    assert (
        rows[2] == "| random | fails: TypeError: Could not locate class 'Q' | runs: 2 of 2 trials |"
    )
    assert [row.split()[1] for row in rows[2:]] == list(stock_modes.MODES)
