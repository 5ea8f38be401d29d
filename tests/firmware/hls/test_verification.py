"""What the stage demands: planted faults must be caught, with window and tensor."""

import numpy as np
import pytest

from pipeline.firmware.hls.project import write_project
from pipeline.firmware.hls.verification import (
    check_golden,
    check_simulation,
    firmware_metrics,
)
from pipeline.integers import golden
from pipeline.integers.compare import MismatchError
from pipeline.integers.network import IntegerNetwork
from tests.firmware.hls.targets import target
from tests.integers.networks import fixed, random_network, random_windows

TARGET = target("Vitis")
NETWORK = random_network(5, 4, 3, state=fixed(6, 2, signed=False))
WINDOWS = random_windows(NETWORK, 2000)


def changed(network: IntegerNetwork, change) -> IntegerNetwork:
    tree = network.model_dump()
    change(tree["layers"])
    return IntegerNetwork.model_validate(tree)


def flip_a_weight(layers) -> None:
    layers[0]["recurrent_kernel"]["integers"][1][2] ^= 1


def truncate_the_state(layers) -> None:
    layers[0]["state"]["rounding"] = "TRN"


def round_half_up(layers) -> None:
    layers[1]["activation"]["rounding"] = "RND"


@pytest.mark.parametrize("fault", [flip_a_weight, truncate_the_state, round_half_up])
def test_a_fault_is_caught_and_its_window_named(fault):
    """One evaluator runs a network with one fault, the golden model the right one."""
    expected = golden.evaluate(NETWORK, WINDOWS)
    simulated = golden.evaluate(changed(NETWORK, fault), WINDOWS)
    window = int(np.flatnonzero(expected != simulated)[0])
    with pytest.raises(MismatchError, match=f"first in window {window}:"):
        check_golden(NETWORK, WINDOWS, simulated.astype(np.float32), 0.0)


@pytest.mark.slow
def test_a_project_of_another_network_fails_the_stage(tmp_path):
    write_project(changed(NETWORK, flip_a_weight), TARGET, tmp_path / "p")
    expected = golden.evaluate(NETWORK, WINDOWS)
    with pytest.raises(MismatchError, match=r"vitis differs from golden in \d+ of 2000 windows"):
        check_simulation(NETWORK, WINDOWS, expected, tmp_path / "p", TARGET)


def test_agreement_passes_and_reports(tmp_path):
    write_project(NETWORK, TARGET, tmp_path / "p")
    qkeras = golden.evaluate(NETWORK, WINDOWS).astype(np.float32)
    outputs, first = check_golden(NETWORK, WINDOWS, qkeras, 0.0)
    simulated, second = check_simulation(NETWORK, WINDOWS, outputs, tmp_path / "p", TARGET)
    assert np.array_equal(simulated, outputs)
    metrics = firmware_metrics(NETWORK, [first, second])
    nothing = {"windows": 2000, "mismatches": 0, "max_difference_mev": 0.0}
    assert metrics["golden"] == metrics["vitis"] == nothing
    assert (metrics["float32_exact"], metrics["qkeras_float_bits"]) == (1, 32)
    assert set(metrics["accumulator_bits"]) == {"rnn", "dense0"}


def test_float32_is_blamed_only_where_it_may_be():
    wrong = np.full(len(WINDOWS), 0.5, np.float32)
    with pytest.raises(MismatchError, match="float32 holds every sum"):
        check_golden(NETWORK, WINDOWS, wrong, 0.0)
    wide = random_network(3, 3, 3, recurrent=fixed(24, 1))
    with pytest.raises(
        MismatchError,
        match=r"rnn\.step1 needs \d+ bits .*, float32 holds 25: .* float64, which holds",
    ):
        check_golden(wide, WINDOWS, wrong, 0.0)
    wider = random_network(3, 3, 3, recurrent=fixed(45, 1))
    with pytest.raises(MismatchError, match=r"float64 holds 54: QKeras itself may round there"):
        check_golden(wider, WINDOWS, wrong, 0.0)


def test_a_difference_that_is_allowed_is_still_reported():
    qkeras = golden.evaluate(NETWORK, WINDOWS).astype(np.float32)
    qkeras[11] += 2.0**-6
    _, comparison = check_golden(NETWORK, WINDOWS, qkeras, 250.0)
    assert comparison.metrics() == {"windows": 2000, "mismatches": 1, "max_difference_mev": 250.0}
