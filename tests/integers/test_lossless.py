"""The smallest types that hold values exactly."""

import numpy as np
import pytest

from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.fixed_point import FixedPointError, dequantize, quantize
from pipeline.integers.lossless import common_type, exact_type, lossless_type
from tests.integers.networks import fixed


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0], (1, 0)),
        ([0.5], (2, 1)),
        ([-1.0, 0.25], (3, 2)),
        ([2.0**-20], (2, 20)),
        ([96.0], (3, -5)),
        ([-8.0], (1, -3)),
    ],
)
def test_smallest_exact_type(values, expected):
    found = exact_type(np.array(values))
    assert (found.bits, found.fraction_bits) == expected
    np.testing.assert_array_equal(dequantize(quantize(np.array(values), found), found), values)


def test_a_common_type_holds_all_values_of_both():
    types = [FixedPointType(**fixed(8, 2, signed=False)), FixedPointType(**fixed(6, 5))]
    found = common_type(*types)
    assert (found.signed, found.bits, found.fraction_bits) == (True, 11, 6)
    for of in types:
        ends = np.array([of.minimum, of.maximum]) * of.step
        np.testing.assert_array_equal(dequantize(quantize(ends, found), found), ends)


def test_more_bits_than_a_type_may_have_are_refused():
    with pytest.raises(FixedPointError, match="63 bits is needed, the limit is 62"):
        lossless_type(True, 63, 0)
