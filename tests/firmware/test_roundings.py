"""Networks that round half up, twice a step or once: QKeras, integers, C++ and RTL are equal."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.firmware.hls.cpp_simulation import simulation
from pipeline.firmware.hls.project import write_project
from pipeline.firmware.hls.verification import check_golden
from pipeline.firmware.rtl.project import verilog_files, write_rtl
from pipeline.firmware.rtl.shift_adds import adder_graph
from pipeline.firmware.rtl.simulation import check_network
from pipeline.integers import golden
from pipeline.integers.fixed_point import quantize
from pipeline.integers.network import IntegerNetwork
from tests.firmware.hls.targets import target
from tests.firmware.sections import rtl_params
from tests.integers.networks import random_windows
from tests.quantization.quantizer_sets import frozen_network

BITS = "quantized_bits({},{},0,alpha=1)"
UP = ",rounding='half_up')"
# activation, state, output
CASES = {
    "twice": ("quantized_relu(10,0", "quantized_relu(7,0", "quantized_relu(9,0"),
    "once": ("quantized_relu(7,0", "quantized_relu(7,0", "quantized_relu(9,0"),
    "twice, both signs": tuple(
        f"quantized_bits({bits},1,0,alpha=1" for bits in ("10", "7", "11")
    ),
}  # fmt: skip
PROJECTS = [("Vitis", "ap"), ("Quartus", "ac"), ("oneAPI", "ac")]


def texts(name: str, rounding: str = UP) -> dict[str, str]:
    activation, state, output = (f"{text}{rounding}" for text in CASES[name])
    return {
        "input": BITS.format(8, 0),
        "rnn/kernel": BITS.format(5, 1),
        "rnn/recurrent_kernel": BITS.format(5, 1),
        "rnn/bias": BITS.format(10, 0),
        "rnn/activation": activation,
        "rnn/state": state,
        "dense/kernel": BITS.format(5, 1),
        "dense/bias": BITS.format(10, 0),
        "dense/activation": output,
    }


def half_even(network: IntegerNetwork) -> IntegerNetwork:
    tree = network.model_dump()
    for layer in tree["layers"]:
        for name in ("activation", "state"):
            if name in layer:
                layer[name]["rounding"] = "RND_CONV"
    return IntegerNetwork.model_validate(tree)


# Keras 2.15 draws the seeds of its initializers with randint(1, 1e9).
@pytest.mark.filterwarnings("ignore:non-integer arguments to randrange:DeprecationWarning")
@pytest.mark.parametrize(
    "name", ["twice", *(pytest.param(n, marks=pytest.mark.slow) for n in list(CASES)[1:])]
)
def test_half_up_is_the_same_everywhere(name, tmp_path):
    pytest.importorskip("tensorflow")
    model, _, _, network = frozen_network(texts(name), 4, 4)
    assert network.float32_exact
    assert {network.rnn.activation.rounding, network.rnn.state.rounding} == {"RND"}
    windows = random_windows(network, 4000) * np.float32(0.4)
    expected, comparison = check_golden(
        network, windows, model(windows[..., None], training=False).numpy()[:, 0], 0.0
    )
    assert comparison.mismatches == 0
    # Ties occur, so that what rounds half to even would be found out.
    assert np.count_nonzero(golden.evaluate(half_even(network), windows) != expected) > 100

    for backend in ("Vitis", "Quartus"):
        of = target(backend)
        write_project(network, of, tmp_path / backend)
        with simulation(tmp_path / backend, network, of) as simulated:
            np.testing.assert_array_equal(simulated.evaluate(windows), expected)

    integers = quantize(windows, network.input)
    found = adder_graph(network, 2).logic.predict(integers.astype(np.float64))[:, 0]
    np.testing.assert_array_equal(found, golden.evaluate_integers(network, integers))
    design = write_rtl(network, rtl_params(), tmp_path / "rtl")
    files = verilog_files(tmp_path / "rtl", False)
    assert check_network(network, design, files, integers)[0].mismatches == 0


@pytest.mark.filterwarnings("ignore:non-integer arguments to randrange:DeprecationWarning")
@pytest.mark.parametrize(("backend", "prefix"), PROJECTS)
def test_a_project_says_it_in_its_types(backend, prefix, tmp_path):
    network = frozen_network(texts("twice"), 2, 2)[3]
    write_project(network, target(backend), tmp_path / "p")
    (defines,) = (tmp_path / "p").rglob("defines.h")
    modes = f"{prefix.upper()}_RND,{prefix.upper()}_SAT"
    for bits in (10, 7, 9):
        kind = f"ap_ufixed<{bits},0" if prefix == "ap" else f"ac_fixed<{bits},0,false"
        assert f"{kind},{modes}" in defines.read_text()


@pytest.mark.filterwarnings("ignore:non-integer arguments to randrange:DeprecationWarning")
def test_half_up_takes_fewer_stages_and_one_rounding_fewer_operations():
    """Half to even waits for the bit that will be the last one."""
    even = adder_graph(frozen_network(texts("twice", ")"), 4, 4)[3], 2)
    twice = adder_graph(frozen_network(texts("twice"), 4, 4)[3], 2)
    once = adder_graph(frozen_network(texts("once"), 4, 4)[3], 2)
    assert once.stages < twice.stages < even.stages
    assert once.operations < twice.operations < even.operations
