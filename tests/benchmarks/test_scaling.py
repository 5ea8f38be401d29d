"""Every step of the scaling runs on the data that the steps before it have written."""

from __future__ import annotations

import pytest

from benchmarks import scaling


@pytest.mark.slow
def test_all_steps_of_a_size(workplace, capsys):
    scaling.main(["--n-bc", "3000"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 3000")]
    cells = [line.strip("| ").split(" | ") for line in lines]
    assert [row[1] for row in cells] == list(scaling.STEPS.values())
    assert all(float(row[2]) >= 0 and float(row[3]) > 50 for row in cells)
