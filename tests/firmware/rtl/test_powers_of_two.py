"""Rounding to powers of two as a graph of comparisons, and in Verilog."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.base.fixed_point_type import FixedPointType
from pipeline.firmware.rtl.powers_of_two import power_of_two
from pipeline.firmware.rtl.project import verilog_files, write_rtl
from pipeline.firmware.rtl.shift_adds import adder_graph
from pipeline.firmware.rtl.simulation import check_network
from pipeline.integers import golden
from pipeline.integers.fixed_point import requantize
from tests.firmware.rtl.graph_outputs import outputs, random_integers
from tests.firmware.sections import rtl_params
from tests.integers.networks import fixed, random_network

UNSIGNED = fixed(12, 5, signed=False, rounding="PO2")
SIGNED = fixed(13, 6, rounding="PO2")
PLAIN = fixed(8, 2, signed=False)
KINDS = {
    "activation": {"activation": UNSIGNED, "output": PLAIN},
    "state": {"activation": PLAIN, "state": UNSIGNED},
    "state finer than the activation": {"activation": PLAIN, "state": fixed(9, -6, rounding="PO2")},
    "state with a sign": {"activation": fixed(9, 2), "output": fixed(9, 2), "state": SIGNED},
    "plain state": {"activation": UNSIGNED, "state": PLAIN, "output": PLAIN},
    "output": {"activation": PLAIN, "output": UNSIGNED},
    "output with a sign": {"activation": PLAIN, "output": SIGNED},
    "all": {"activation": SIGNED},
    "widest": {"activation": fixed(23, 8, signed=False, rounding="PO2")},
    "narrowest": {"activation": fixed(2, 1, signed=False, rounding="PO2"), "output": fixed(12, 5)},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("seed", "hidden"), [(0, 0), (1, 0), (2, 3)])
def test_equals_the_integers(kind, seed, hidden):
    network = random_network(seed, 3, 4, hidden_dense=hidden, **KINDS[kind])
    windows = random_integers(network, 500)
    expected = golden.evaluate_integers(network, windows)
    np.testing.assert_array_equal(outputs(network, windows), expected)
    assert kind == "narrowest" or len(np.unique(expected)) > 1


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("negated", [False, True])
@pytest.mark.parametrize("fraction_bits", [-2, 0, 3, 8])
@pytest.mark.parametrize("constant", [0, 37])
def test_every_sum_is_rounded_as_its_integers(signed, negated, fraction_bits, constant):
    """Also with a negated variable, by which da4ml steers wrongly at 0."""
    from da4ml.trace import FixedVariableArray, comb_trace

    to = FixedPointType(signed=signed, bits=7, fraction_bits=fraction_bits, rounding="PO2")
    number = FixedVariableArray.from_kif(np.ones(1, int), np.full(1, 9), np.zeros(1, int))
    sums = -number if negated else number
    assert (sums._vars[0]._factor < 0) == negated
    made = power_of_two(sums._vars[0], constant, 3 - fraction_bits, to)
    graph = comb_trace(number, FixedVariableArray(np.array([made]), number.solver_options))
    values = np.arange(-(2**9), 2**9)
    found = graph.predict(values[:, None].astype(np.float64)).ravel()
    total = (-values if negated else values) + constant
    np.testing.assert_array_equal(found, requantize(total.astype(np.int64), 3, to))


def test_choices_stand_in_a_tree():
    """A chain of 11 comparisons would need that many stages behind the sum."""
    plain, powers = (
        adder_graph(random_network(0, 4, 1, activation=PLAIN, output=output), 1).stages
        for output in (PLAIN, UNSIGNED)
    )
    assert powers <= plain + 5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["all", "state with a sign", "output"])
def test_the_verilog_equals_the_integers(kind, tmp_path):
    network = random_network(1, 2, 3, **KINDS[kind])
    design = write_rtl(network, rtl_params(), tmp_path / "rtl")
    windows = random_integers(network, 5000)
    files = verilog_files(tmp_path / "rtl", False)
    simulated = check_network(network, design, files, windows)
    assert simulated.comparison.mismatches == 0
    assert simulated.latency_cycles == design.latency_cycles
