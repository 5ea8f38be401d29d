"""Mismatches are counted, measured and located."""

import numpy as np
import pytest

from pipeline.integers import golden
from pipeline.integers.compare import MismatchError, compare, name_tensor, require_agreement
from tests.integers.networks import random_network, random_windows

NETWORK = random_network()  # output: ufixed<8,2>, LSB 2**-6, scale 16 GeV: 250 MeV
LSB = 2.0**-6


def outputs() -> np.ndarray:
    return golden.evaluate(NETWORK, random_windows(NETWORK, 50))


def test_equal_outputs():
    expected = outputs()
    found = compare(NETWORK, ("golden", expected), ("vitis", expected.astype(np.float32)))
    assert found.metrics() == {"windows": 50, "mismatches": 0, "max_difference_mev": 0.0}
    assert found.first_window is None
    require_agreement(found, 0.0, "")


def test_a_difference_is_measured_and_named():
    expected = outputs()
    wrong = expected.copy()
    wrong[[7, 31]] += [LSB, -3 * LSB]
    found = compare(NETWORK, ("golden", expected), ("vitis", wrong))
    assert found.metrics() == {"windows": 50, "mismatches": 2, "max_difference_mev": 750.0}
    assert found.max_difference_lsb == 3
    assert found.first_window == 7
    require_agreement(found, 750.0, "")
    with pytest.raises(
        MismatchError, match=r"2 of 50 windows, by up to 3 LSB = 750 MeV .*window 7"
    ):
        require_agreement(found, 749.0, "here")


def test_nan_is_a_mismatch():
    expected = outputs()
    wrong = expected.copy()
    wrong[3] = np.nan
    found = compare(NETWORK, ("golden", expected), ("vitis", wrong))
    assert (found.mismatches, found.first_window) == (1, 3)
    with pytest.raises(MismatchError, match="inf LSB"):
        require_agreement(found, 1e9, "")


def test_shapes_must_agree():
    with pytest.raises(MismatchError, match=r"vitis has outputs of shape \(49,\), golden \(50,\)"):
        compare(NETWORK, ("golden", outputs()), ("vitis", outputs()[:49]))


def test_the_first_differing_tensor_is_named():
    window = random_windows(NETWORK, 5)[4:5]
    tensors = golden.evaluate_tensors(NETWORK, window)
    other = {name: tensor.real.copy() for name, tensor in tensors.items() if "sum" not in name}
    assert name_tensor(tensors, "vitis", other).startswith("no difference")
    other["rnn.step3.activation"][0, 2] += LSB
    other["dense0.activation"][0, 0] += LSB
    assert "differs: rnn.step3.activation, unit 2: golden has" in name_tensor(
        tensors, "vitis", other
    )
    only = {"dense0.activation": other["dense0.activation"]}
    assert "the only one at hand: dense0.activation" in name_tensor(tensors, "vitis", only)
    assert name_tensor(tensors, "vitis", {}) == "no difference in the tensors at hand (none)"
