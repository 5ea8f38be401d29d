"""Types of powers of two: every threshold in exact arithmetic, and what such a type is."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.accumulators import _rounded
from pipeline.integers.fixed_point import power_threshold, quantize, requantize
from pipeline.integers.golden import evaluate_integers, evaluate_tensors
from tests.integers.definition import reference
from tests.integers.networks import fixed, random_network, random_windows


def powers(signed, bits, fraction_bits):
    return FixedPointType(signed=signed, bits=bits, fraction_bits=fraction_bits, rounding="PO2")


TYPES = [
    powers(signed, bits, fraction_bits)
    for signed in (False, True)
    for bits in (2, 3, 8, 23, 40, 62)
    for fraction_bits in (-7, 0, 15, 40)
]


@pytest.mark.parametrize("to", TYPES, ids=str)
@pytest.mark.parametrize("point", [0, 9, 30, 61])
def test_every_threshold_that_int64_can_hold(to, point):
    numbers = {0, 1, 2, 3, 2**63 - 1}
    for power in range(to.highest_power + 2):
        first = power_threshold(2 * (power + point - to.fraction_bits) - 1)
        numbers |= {first - 1, first, first + 1}
    integers = [
        n for n in sorted(numbers | {-n for n in numbers} | {-(2**63)}) if -(2**63) <= n < 2**63
    ]
    found = requantize(np.array(integers, np.int64), point, to)
    assert found.tolist() == [reference(n * Fraction(2) ** -point, to) for n in integers]
    assert found.tolist() == [_rounded(n, point, to) for n in integers]


@given(st.integers(-9, 300).map(lambda n: 2 * n + 1))
def test_a_threshold_is_the_first_integer_beyond_a_root(twice):
    first = power_threshold(twice)
    assert first >= 1
    assert first**2 >= Fraction(2) ** twice
    assert first == 1 or (first - 1) ** 2 < Fraction(2) ** twice


@settings(max_examples=300, deadline=None)
@given(st.integers(), st.integers(-70, 140), st.sampled_from(TYPES))
def test_intervals_of_any_size_are_rounded_alike(integer, point, to):
    assert _rounded(integer, point, to) == reference(integer * Fraction(2) ** -point, to)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2), st.sampled_from(TYPES))
def test_rounding_never_falls(reals, to):
    rounded = quantize(np.sort(np.array(reals)), to)
    assert (np.diff(rounded) >= 0).all()
    assert set(np.abs(rounded).tolist()) <= {2**k for k in range(to.highest_power + 1)}


@pytest.mark.parametrize(
    ("signed", "bits", "least", "most"),
    [(False, 1, 1, 1), (False, 12, 1, 2**11), (True, 2, -1, 1), (True, 13, -(2**11), 2**11)],
)
def test_what_a_type_holds(signed, bits, least, most):
    of = powers(signed, bits, 4)
    assert (of.minimum, of.maximum) == (least, most)
    found = quantize(np.array([0.0, -0.0, 1e30, -1e30, 1e-30, -1e-30]), of)
    small = -1 if signed else 1
    assert found.tolist() == [1, 1, most, least, 1, small]


@pytest.mark.parametrize("bad", [{"overflow": "WRAP"}, {"bits": 1}])
def test_what_holds_no_power_is_refused(bad):
    with pytest.raises(ValidationError, match=r"PO2\) must saturate"):
        FixedPointType.model_validate(
            {"signed": True, "bits": 4, "fraction_bits": 0, "rounding": "PO2"} | bad
        )


KINDS = {
    "activation": {"activation": fixed(12, 4, signed=False, rounding="PO2")},
    "state": {"state": fixed(9, 2, rounding="PO2")},
    "all": dict.fromkeys(("activation", "state", "output"), fixed(13, 5, rounding="PO2")),
    "dense": {"output": fixed(12, 4, signed=False, rounding="PO2"),
              "activation": fixed(8, 2, signed=False)},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_sums_stay_within_what_is_proved(kind):
    network = random_network(3, 5, 4, **KINDS[kind])
    windows = random_windows(network, 500)
    windows[0], windows[1] = 1e6, -1e6
    tensors = evaluate_tensors(network, windows)
    for accumulator in network.accumulators:
        total = tensors[f"{accumulator.name}.sum"]
        limit = Fraction(2) ** (total.fraction_bits - accumulator.fraction_bits)
        assert total.integers.min() >= accumulator.minimum * limit
        assert total.integers.max() <= accumulator.maximum * limit


def test_integer_json_keeps_such_a_type(tmp_path):
    network = random_network(3, 5, 4, **KINDS["all"])
    again = type(network).model_validate_json(network.model_dump_json())
    assert again == network
    assert again.output.rounding == "PO2"
    low = np.full((1, 4), network.input.minimum)
    assert evaluate_integers(again, low) == evaluate_integers(network, low)
