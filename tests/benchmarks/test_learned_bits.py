"""The front of learned bits: starts, rows of the table, area of the front's networks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import learned_bits
from pipeline.base.weights import FLOAT_WEIGHTS, load_weights
from pipeline.networks.stack.learned import LearnedStack
from pipeline.networks.stack.learned_network import LearnedNetwork
from pipeline.networks.stack.stack import Windows, lanes
from pipeline.samples.prepared import PREPARED, read_prepared

CELLS = {"cycles": 9, "lut": 300, "lut_route_through": 20, "ff": 200}


def test_a_row_for_each_price(workplace, monkeypatch, capsys):
    monkeypatch.setattr(learned_bits, "area", lambda *_: CELLS)
    learned_bits.main(
        ["--start", "float", "--seeds", "3", "--epochs", "2", "1", "--synthesise", "1"]
    )
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| float")]
    rows = [line.strip("| ").split(" | ") for line in lines]
    assert len(rows) == lanes()
    assert [float(row[2]) for row in rows] == list(learned_bits.PRICES)
    assert {row[5] for row in rows} == {"0"}
    assert all(float(row[4]) > 0 for row in rows)
    areas = [row[6:11] for row in rows if row[6].strip()]
    assert areas == [["300", "20", "320", "200", "9"]]


def test_the_start_from_float_weights_is_the_float_network(workplace):
    """But for rounding; also where hidden values go beyond 1."""
    prepared = read_prepared(PREPARED)
    begin = learned_bits.start_of("float", prepared)
    assert begin.unit_bits.tolist() == [10] * 8
    weights = load_weights(FLOAT_WEIGHTS, {n: w.shape for n, w in begin.weights.items()})
    ratio = weights["rnn/kernel"] / begin.weights["rnn/kernel"]
    np.testing.assert_array_equal(np.exp2(np.rint(np.log2(ratio))), ratio)
    found = learned_bits.windows_of(prepared.validation, learned_bits.ValueBits())
    stack = LearnedStack([begin] * lanes(), found.length, 1.0)
    floats = learned_bits.Stack([learned_bits.NetworkFormats()] * lanes(), [weights] * lanes())
    np.testing.assert_allclose(
        stack.predict(found)[:, 0], np.minimum(floats.predict(found)[:, 0], 1), atol=0.02
    )
    assert isinstance(found, Windows)


def test_only_the_front_is_synthesised():
    found = [
        SimpleNamespace(rounded=SimpleNamespace(operations=bits), validation_loss=loss)
        for bits, loss in [(50, 1.0), (10, 3.0), (20, 4.0), (30, 2.0), (40, 2.5)]
    ]
    assert learned_bits._chosen(found, 9) == [1, 3, 0]
    assert learned_bits._chosen(found, 2) == [1, 3]


@pytest.mark.slow
def test_area_is_that_of_the_network_alone(workplace):
    begin = LearnedNetwork.with_bits(learned_bits.float_weights(), 4, 4)
    network = learned_bits.integer_network(
        LearnedStack([begin] * lanes(), 3, 1.0).rounded[0], 3, 16.0
    )
    cells = learned_bits.area(network, learned_bits.load_params().rtl)
    assert cells["lut"] > 50
    assert cells["cycles"] > 3
