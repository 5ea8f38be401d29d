"""How many cores serve an FPGA, and what share of it they take."""

import pytest

from pipeline.artifacts.budget import cores_needed, share_percent


@pytest.mark.parametrize(("cells", "cores"), [(1, 384), (12, 32), (13, 30), (384, 1), (500, 1)])
def test_cores_for_all_cells(cells, cores):
    assert cores_needed(cells) == cores


def test_shares_of_the_named_devices():
    resources = {"lut": 11822, "ff": 23645, "carry": 7, "dsp": 0, "bram": 0}
    found = share_percent("xcup", resources, 10)
    assert found == {
        "lut": pytest.approx(10.0, abs=0.01),
        "ff": pytest.approx(10.0, abs=0.01),
        "dsp": 0.0,
    }
    assert share_percent("cyclonev", resources, 10)["ff"] == pytest.approx(6.33, abs=0.01)
    assert share_percent("ecp5", resources, 10) == {}
