"""Fixed-point arithmetic against an independent evaluator on exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.fixed_point import (
    FixedPointError,
    bits_for,
    dequantize,
    quantize,
    requantize,
)
from tests.integers.definition import reference

plain = st.builds(
    FixedPointType,
    signed=st.booleans(),
    bits=st.integers(1, 62),
    fraction_bits=st.integers(-62, 62),
    rounding=st.sampled_from(["TRN", "RND", "RND_CONV"]),
    overflow=st.sampled_from(["WRAP", "SAT"]),
)
powers = st.builds(
    FixedPointType,
    signed=st.booleans(),
    bits=st.integers(2, 62),
    fraction_bits=st.integers(-62, 62),
    rounding=st.just("PO2"),
)
types = plain | powers
int64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-40, 40) | st.just(-(2**62))


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(st.lists(int64, min_size=1, max_size=8), st.integers(-70, 140), types)
def test_requantize_equals_the_definition(integers, fraction_bits, to):
    found = requantize(np.array(integers, dtype=np.int64), fraction_bits, to)
    expected = [reference(i * Fraction(2) ** -fraction_bits, to) for i in integers]
    assert found.tolist() == expected
    assert found.dtype == np.int64


@pytest.mark.slow
@settings(max_examples=1500, deadline=None)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8)
    | st.lists(st.integers(-64, 64).map(lambda i: i / 8), min_size=1, max_size=8),
    types,
)
def test_quantize_equals_the_definition(reals, to):
    found = quantize(np.array(reals, dtype=np.float64), to)
    assert found.tolist() == [reference(Fraction(r), to) for r in reals]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1), types)
def test_quantize_takes_float32(reals, to):
    found = quantize(np.array(reals, dtype=np.float32), to)
    assert found.tolist() == [reference(Fraction(r), to) for r in reals]


@given(plain.filter(lambda t: t.bits <= 53), st.data())
def test_values_survive_a_round_trip(to, data):
    integers = data.draw(st.lists(st.integers(to.minimum, to.maximum), min_size=1))
    array = np.array(integers, dtype=np.int64)
    assert quantize(dequantize(array, to), to).tolist() == integers


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("TRN", [-2, -2, -1, 0, 0, 1]),
        ("RND", [-1, -1, 0, 1, 1, 2]),
        ("RND_CONV", [-2, -1, 0, 0, 1, 2]),
    ],
)
def test_ties(rounding, expected):
    to = FixedPointType(signed=True, bits=8, fraction_bits=0, rounding=rounding)
    halves = np.array([-1.5, -1.25, -0.5, 0.5, 0.75, 1.5])
    assert quantize(halves, to).tolist() == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    to = FixedPointType(signed=True, bits=8, fraction_bits=0)
    with pytest.raises(FixedPointError, match=r"index \(1, 0\)"):
        quantize(np.array([[0.0], [bad]], dtype=np.float32), to)


def test_dequantize_refuses_what_float64_cannot_hold():
    of = FixedPointType(signed=True, bits=62, fraction_bits=0)
    with pytest.raises(FixedPointError, match="53 bits"):
        dequantize(np.array([2**53 + 1], dtype=np.int64), of)


@pytest.mark.parametrize(
    ("minimum", "maximum", "bits"),
    [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-2, 1, 2), (-128, 127, 8), (-129, 0, 9), (0, 128, 9)],
)
def test_bits_for(minimum, maximum, bits):
    assert bits_for(minimum, maximum) == bits
