"""From frozen weights to integers and back, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.architecture import Architecture, quantized_tensors
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.golden import evaluate
from pipeline.networks.float_network import get_weights, set_weights
from pipeline.quantization.finetuning.export import integer_tensor, to_integer_network
from pipeline.quantization.training.network import build_quantized_network, freeze
from pipeline.quantizers.hardware import check_exportable
from pipeline.quantizers.quantizer import QuantizerError
from tests.quantization.quantizer_sets import SETS, quantizer_set, random_weights, random_windows

UNITS, LENGTH = 4, 5
ARCHITECTURE = Architecture("SimpleRNN", UNITS, LENGTH)


def frozen_network(name, seed=0, **changed):
    quantizers = quantizer_set(name, **changed)
    model = build_quantized_network(ARCHITECTURE, quantizers)
    set_weights(model, random_weights(ARCHITECTURE.weight_shapes, seed))
    freeze(model)
    return model, quantizers


@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=8),
    st.integers(-15, 18),
)
def test_integers_times_the_step_are_the_weights_in_the_smallest_type(integers, fraction_bits):
    values = np.float32(integers) * np.float32(2.0**-fraction_bits)
    tensor = integer_tensor(values, "quantized_bits(24)", "rnn/kernel")
    of = tensor.type
    np.testing.assert_array_equal(tensor.array * 2.0**-of.fraction_bits, values)
    assert of.signed
    low, high = tensor.array.min(), tensor.array.max()
    assert of.minimum <= low
    assert high <= of.maximum
    if of.bits > 1:  # one bit less does not hold them, one fraction bit less neither
        assert low < of.minimum // 2 or high > of.maximum // 2
    if np.any(values):
        assert np.any(tensor.array % 2)


@pytest.mark.parametrize(
    ("values", "bits", "fraction_bits"),
    [
        ([0.0, 0.0], 1, 0),
        ([1.0], 2, 0),
        ([-1.0], 1, 0),
        ([-0.0, 0.0], 1, 0),
        ([0.5, -0.5], 2, 1),
        ([0.875, -1.0], 4, 3),
        ([4.0, -8.0], 2, -2),
        ([2.0**-40], 2, 40),
    ],
)
def test_smallest_type_of_known_values(values, bits, fraction_bits):
    tensor = integer_tensor(np.float32(values), "any", "dense/bias")
    assert tensor.type == FixedPointType(signed=True, bits=bits, fraction_bits=fraction_bits)
    np.testing.assert_array_equal(tensor.array * 2.0**-fraction_bits, values)


def test_values_that_are_no_fixed_point_are_refused():
    with pytest.raises(QuantizerError, match=r"^rnn/kernel: .*quantized_bits\(4,x\).*alpha=1"):
        integer_tensor(np.float64([0.1 * 2.0**-10]), "quantized_bits(4,x)", "rnn/kernel")


WEIGHTS = ["rnn/kernel", "rnn/recurrent_kernel", "rnn/bias", "dense/kernel", "dense/bias"]


@pytest.mark.parametrize("alpha", ["'auto'", "0.3", "3"])
@pytest.mark.parametrize("tensor", WEIGHTS)
def test_a_scale_that_is_no_power_of_two_cannot_be_exported(tensor, alpha):
    text = f"quantized_bits(4,0,1,alpha={alpha})"
    quantizers = quantizer_set("8 bits", **{tensor.replace("/", "_"): text})
    with pytest.raises(QuantizerError, match=rf"^{tensor}: the scale of .*alpha=1") as caught:
        check_exportable(ARCHITECTURE, quantizers)
    assert text in str(caught.value)


@pytest.mark.parametrize("alpha", ["'auto_po2'", "None", "1", "1.0", "0.125", "4"])
def test_a_scale_that_is_a_power_of_two_can_be_exported(alpha):
    text = f"quantized_bits(4,0,1,alpha={alpha})"
    check_exportable(ARCHITECTURE, quantizer_set("8 bits", rnn_kernel=text))


@pytest.mark.slow
def test_why_alpha_auto_must_be_refused():
    """Its four bits of weight would become integers of four times as many."""
    text = "quantized_bits(4,0,1,alpha='auto')"
    model, quantizers = frozen_network("8 bits", rnn_recurrent_kernel=text)
    network = to_integer_network(ARCHITECTURE, get_weights(model), quantizers, 16.0)
    assert network.rnn.recurrent_kernel.type.bits > 16


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", SETS)
def test_the_golden_model_equals_qkeras_bit_for_bit(name, seed):
    model, quantizers = frozen_network(name, seed)
    weights = get_weights(model)
    network = to_integer_network(ARCHITECTURE, weights, quantizers, 16.0)
    windows = random_windows(5000, LENGTH, seed + 1)
    quantized = model(windows[..., None], training=False).numpy()[:, 0]
    np.testing.assert_array_equal(evaluate(network, windows), quantized)
    assert len(np.unique(quantized)) > 10
    for layer in network.layers:
        for tensor in ("kernel", "bias"):
            found = getattr(layer, tensor)
            np.testing.assert_array_equal(
                found.array * found.type.step, weights[f"{layer.name}/{tensor}"]
            )
            assert found.quantizer == quantizers[f"{layer.name}/{tensor}"].text


def test_types_and_geometry_of_the_network():
    model, quantizers = frozen_network("6 bits")
    network = to_integer_network(ARCHITECTURE, get_weights(model), quantizers, 8.0)
    assert (network.window_length, network.et_scale_gev) == (LENGTH, 8.0)
    assert network.input == FixedPointType(signed=True, bits=12, fraction_bits=11)
    assert network.rnn.state == FixedPointType(signed=False, bits=6, fraction_bits=6)
    assert network.rnn.activation == FixedPointType(signed=False, bits=8, fraction_bits=8)
    assert network.rnn.recurrent_kernel.array.shape == (UNITS, UNITS)
    assert network.dense[0].activation == network.rnn.activation


def test_a_complete_fixed_point_network_can_be_exported():
    for name in SETS:
        check_exportable(ARCHITECTURE, quantizer_set(name))


@pytest.mark.parametrize("tensor", quantized_tensors("SimpleRNN"))
def test_a_tensor_without_quantizer_cannot_be_exported(tensor):
    quantizers = quantizer_set("8 bits")
    del quantizers[tensor]
    with pytest.raises(QuantizerError, match=rf"no quantizer for {tensor} \(search"):
        check_exportable(ARCHITECTURE, quantizers)


@pytest.mark.parametrize("tensor", ["input", "rnn_activation", "rnn_state", "dense_activation"])
def test_an_activation_that_is_no_fixed_point_cannot_be_exported(tensor):
    quantizers = quantizer_set("8 bits", **{tensor: "quantized_tanh(6)"})
    with pytest.raises(QuantizerError, match=rf"^{tensor.replace('_', '/')}: quantized_tanh"):
        check_exportable(ARCHITECTURE, quantizers)


@pytest.mark.parametrize("sign", [1, -1])
def test_values_too_far_apart_for_any_type_are_refused(sign):
    """Checked before there are integers: 2**80 would become the smallest int64, without a word."""
    with pytest.raises(QuantizerError, match=r"rnn/kernel: the values of q need 8\d bits, .* 62"):
        integer_tensor(np.float64([sign * 2.0**40, 2.0**-40]), "q", "rnn/kernel")
    widest = integer_tensor(np.float64([sign * 2.0**60, 1.0]), "q", "rnn/kernel")
    assert widest.integers == [sign * 2**60, 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(QuantizerError, match="rnn/kernel: expected finite values"):
        integer_tensor(np.float64([value, 1.0]), "q", "rnn/kernel")
