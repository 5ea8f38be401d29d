"""The adder graph is the network, for every window length that parameters allow to build."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.firmware.rtl import project
from pipeline.firmware.rtl.project import write_rtl
from pipeline.firmware.rtl.shift_adds import RtlError, adder_graph
from pipeline.integers import golden
from pipeline.integers.network import IntegerNetwork
from tests.firmware.rtl.graph_outputs import outputs, random_integers
from tests.firmware.sections import rtl_params
from tests.integers.networks import fixed, random_network

# Types as in trained networks: sums of more fraction bits than the state, whose scale drifts.
FINE = {
    "weight": fixed(9, 2),
    "recurrent": fixed(6, 1),
    "bias": fixed(11, -2),
    "sample": fixed(11, 1),
    "activation": fixed(12, 0, signed=False),
    "state": fixed(9, 0, signed=False),
}


def without(network: IntegerNetwork, tensor: str, keep: Any = None) -> IntegerNetwork:
    """The network with a weight tensor of zeros, but for the entries `keep`."""
    content = network.model_dump()
    weights = np.array(content["layers"][0][tensor]["integers"])
    zeros = np.zeros_like(weights)
    if keep is not None:
        zeros[keep] = weights[keep]
    content["layers"][0][tensor]["integers"] = zeros.tolist()
    return IntegerNetwork.model_validate(content)


@pytest.mark.parametrize("length", [1, 2, 8, 10, 13, 14, 18, 24])
@pytest.mark.parametrize("seed", [2, 3])
def test_equals_the_integers_for_long_windows(length, seed):
    """Without all digits of da4ml's scales, seed 3 fails from 10 samples on, seed 2 from 18."""
    network = random_network(seed, 4, length, **FINE)
    windows = random_integers(network)
    np.testing.assert_array_equal(
        outputs(network, windows), golden.evaluate_integers(network, windows)
    )


def test_units_have_bits_of_their_own():
    types = FINE | {"state": None, "activation": fixed(9, 0, signed=False, rounding="RND")}
    wide = random_network(2, 6, 5, **types)
    network = random_network(2, 6, 5, unit_bits=[9, 8, 8, 6, 4, 1], **types)
    windows = random_integers(network)
    found = outputs(network, windows)
    np.testing.assert_array_equal(found, golden.evaluate_integers(network, windows))
    assert np.any(found != golden.evaluate_integers(wide, windows))


# As many fraction bits as 53 bits of a sum allow: each step shifts the state's scale by 18.
FINEST = {
    "weight": fixed(16, 0),
    "recurrent": fixed(18, 0),
    "bias": fixed(18, 0),
    "sample": fixed(11, 0),
    "activation": fixed(20, 0, signed=False),
    "state": fixed(18, 0, signed=False),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("types", "units", "length"), [(FINEST, 4, 100), (FINE, 2, 256)], ids=["finest", "fine"]
)
def test_equals_the_integers_for_the_longest_window(types, units, length):
    network = random_network(2, units, length, **types)
    windows = random_integers(network, 60)
    np.testing.assert_array_equal(
        outputs(network, windows), golden.evaluate_integers(network, windows)
    )


@pytest.mark.parametrize(
    ("tensor", "keep"),
    [
        ("recurrent_kernel", None),  # only the last sample has an effect
        ("recurrent_kernel", np.s_[0, 1]),  # only the last two have one
        ("kernel", np.s_[0, 2]),  # one unit reads the sample
    ],
)
def test_samples_without_effect_stay_inputs(tmp_path, tensor, keep):
    network = without(random_network(3, 4, 5), tensor, keep)
    windows = random_integers(network)
    graph = adder_graph(network, 2)
    assert graph.logic.shape[0] == network.window_length
    predicted = np.asarray(graph.logic.predict(windows.astype(np.float64))).ravel()
    np.testing.assert_array_equal(predicted, golden.evaluate_integers(network, windows))
    design = write_rtl(network, rtl_params(), tmp_path / "rtl")
    core = (tmp_path / "rtl" / "verilog" / f"{design.top}_core.v").read_text()
    assert f"input [{5 * network.input.bits - 1}:0] model_inp" in core


@pytest.mark.parametrize("port", ["model_inp", "model_out"])
@pytest.mark.parametrize("language", ["verilog", "vhdl"])
def test_a_port_of_another_width_is_refused(tmp_path, monkeypatch, port, language):
    from importlib import import_module

    package = import_module(f"da4ml.codegen.rtl.{language}")
    original = package.pipeline_logic_gen

    def narrower(pipeline, name, *rest):
        codes = original(pipeline, name, *rest)
        bits = project._PORT[port].search(codes[name])
        width = int(bits[1] or bits[2])
        codes[name] = codes[name].replace(bits[0], bits[0].replace(str(width), str(width - 1)), 1)
        return codes

    monkeypatch.setattr(package, "pipeline_logic_gen", narrower)
    with pytest.raises(RtlError, match=f"da4ml's port {port}: expected "):
        write_rtl(random_network(0, 2, 3), rtl_params(), tmp_path / "rtl")
