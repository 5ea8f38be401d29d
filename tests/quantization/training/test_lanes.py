"""What a stack computes is what QKeras does: weights, outputs and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.networks.float_network import named_variables, set_weights
from pipeline.networks.stack.stack import Stack, Windows, lanes
from pipeline.quantization.training.lanes import network_formats
from pipeline.quantization.training.network import (
    build_quantized_network,
    forward,
    without_ste,
)
from pipeline.quantizers.quantizer import parse_quantizer

LENGTH, COUNT = 3, 400
KERNELS = ["binary(alpha='auto_po2')"] + [
    f"quantized_bits({bits},0,1,alpha='auto_po2')" for bits in (6, 8)
]
RECURRENT = [f"quantized_bits({bits},0,1,alpha='auto_po2')" for bits in (5, 6, 8, 10)]
STATES = [f"quantized_relu({bits},0)" for bits in (8, 9, 10)]
FIXED = [
    "quantized_bits(6,1,0,alpha=1)", "quantized_bits(6,0,1,alpha=1)",
    "quantized_bits(4,0,0,0,alpha=1)", "quantized_bits(5,2,1,alpha='auto_po2')",
]  # fmt: skip


def quantizers(kernel=KERNELS[0], recurrent=RECURRENT[0], state=STATES[0], **changed):
    texts = {
        "input": "quantized_bits(11,0,0,alpha=1)",
        "rnn/kernel": kernel,
        "rnn/recurrent_kernel": recurrent,
        "rnn/bias": "quantized_bits(14,0,0,alpha=1)",
        "rnn/activation": "quantized_relu(12,0)",
        "rnn/state": state,
        "dense/kernel": "quantized_bits(8,0,1,alpha='auto_po2')",
        "dense/bias": "quantized_bits(14,0,0,alpha=1)",
        "dense/activation": "quantized_relu(12,0)",
    } | {name.replace("_", "/", 1): text for name, text in changed.items()}
    return {tensor: parse_quantizer(text, tensor) for tensor, text in texts.items() if text}


def random_weights(units, rng, size):
    shapes = Architecture("SimpleRNN", units, LENGTH).weight_shapes
    weights = {n: rng.normal(0, size, shape).astype(np.float32) for n, shape in shapes.items()}
    return weights | {"dense/bias": np.array([0.05], np.float32)}


def windows(rng) -> Windows:
    """Samples in steps of the input's quantizer, of which some are 0."""
    samples = np.round(np.abs(rng.normal(0, 0.2, COUNT + LENGTH)) * 1024) / 1024
    samples = np.minimum(samples, 1023 / 1024).astype(np.float32)
    return Windows(samples, np.abs(rng.normal(0, 0.1, len(samples))).astype(np.float32), LENGTH, 0)


class Compared:
    """A stack beside QKeras' models of the same networks."""

    def __init__(self, sets, weights, data):
        self.units = len(weights[0]["rnn/bias"])
        form = Architecture("SimpleRNN", self.units, LENGTH)
        self.stack = Stack([network_formats(form, chosen) for chosen in sets], weights)
        self.models = [build_quantized_network(form, chosen) for chosen in sets]
        for model, of_lane in zip(self.models, weights, strict=True):
            set_weights(model, of_lane)
        first = np.arange(COUNT)
        self.inputs = tf.constant(data.samples[first[:, None] + np.arange(LENGTH)][..., None])
        self.truth, self.data = data.truth[first + data.target], data

    def gradients(self, model):
        with tf.GradientTape() as tape:
            outputs = forward(model, self.inputs, True)[:, 0]
            loss = tf.reduce_mean(tf.square(outputs - self.truth))
        slopes = tape.gradient(loss, model.trainable_variables)
        return dict(zip(named_variables(model), (s.numpy() for s in slopes), strict=True))

    def check(self):
        order = np.tile(np.arange(COUNT, dtype=np.uint32)[:, None], (1, lanes()))
        gradients, losses = self.stack.gradients(self.data, order)
        quantized, outputs = self.stack.quantized_weights, self.stack.predict(self.data)
        for lane, model in enumerate(self.models):
            for name, slope in self.gradients(model).items():
                largest = np.abs(slope).max()
                np.testing.assert_allclose(gradients[lane][name], slope, atol=2e-5 * largest)
            without_ste(model)
            exact = model(self.inputs).numpy()[:, 0]
            np.testing.assert_array_equal(outputs[:, lane], exact)
            assert losses[lane] == pytest.approx(np.mean(np.square(exact - self.truth)), rel=1e-5)
            for name, values in quantized_by_qkeras(model).items():
                np.testing.assert_array_equal(quantized[lane][name], values)


def quantized_by_qkeras(model):
    found = {}
    for layer, names in (
        ("rnn", ("kernel", "recurrent_kernel", "bias")),
        ("dense", ("kernel", "bias")),
    ):
        for name, quantizer in zip(names, model.get_layer(layer).get_quantizers(), strict=False):
            variable = named_variables(model)[f"{layer}/{name}"]
            values = variable if quantizer is None else quantizer(variable)
            found[f"{layer}/{name}"] = values.numpy()
    return found


@pytest.mark.parametrize("units", [1, 7, 9])
def test_the_default_space_is_that_of_qkeras(units):
    rng = np.random.default_rng(units)
    sets = [
        quantizers(KERNELS[lane % 3], RECURRENT[lane % 4], STATES[lane % 3])
        for lane in range(lanes())
    ]
    sizes = [0.05, 0.4, 2.0]
    weights = [random_weights(units, rng, sizes[lane % 3]) for lane in range(lanes())]
    Compared(sets, weights, windows(rng)).check()


def test_other_fixed_and_following_scales_and_float_tensors_are_too():
    rng = np.random.default_rng(4)
    sets = [
        *(quantizers(kernel, kernel, "quantized_bits(9,1,0,alpha=1)") for kernel in FIXED),
        quantizers(rnn_activation="quantized_relu(10,2)", dense_kernel=FIXED[0]),
        quantizers(dense_activation="", rnn_state="", rnn_bias=""),
        quantizers(dense_bias=FIXED[1], rnn_activation="quantized_relu(4,1)"),
        quantizers(),
    ]
    weights = [random_weights(5, rng, 0.5) for _ in range(lanes())]
    Compared(sets, weights, windows(rng)).check()


@pytest.mark.parametrize("bits", [5, 8])
def test_ties_zeros_and_edges_of_scales(bits):
    """Weights half way between values, columns of zeros, and ratios next to sqrt(2)."""
    rng = np.random.default_rng(bits)
    most = 2 ** (bits - 1) - 1
    weights = []
    for lane in range(lanes()):
        of_lane = random_weights(7, rng, 0.3)
        halves = rng.integers(-2 * most, 2 * most + 1, (7, 7)) / 2
        halves[0] = most  # the scale is 2**-3 then
        near = np.float32(np.sqrt(2)) * (1 + (lane - 4) * np.float32(2**-23))
        halves[:, 3], halves[:, 5] = 0, near * most * 2.0 ** rng.integers(-9, 3)
        of_lane["rnn/recurrent_kernel"] = (halves / 8).astype(np.float32)
        of_lane["rnn/kernel"][0, :4] = near * 2.0 ** np.array([0, -3, -8, 2])
        of_lane["rnn/kernel"][0, 4:] = 0, -near, 1e-9
        of_lane["rnn/bias"] = ((rng.integers(-64, 64, 7) + 0.5) / 2**13).astype(np.float32)
        weights.append(of_lane)
    sets = [
        quantizers(KERNELS[lane % 2], f"quantized_bits({bits},0,1,alpha='auto_po2')")
        for lane in range(lanes())
    ]
    Compared(sets, weights, windows(rng)).check()


# Products of these weights and samples end one bit behind an activation of 12 bits: ties.
TIES = {
    "kernel": "quantized_bits(4,0,0,alpha=1)",
    "recurrent": "quantized_bits(5,0,0,alpha=1)",
    "dense_kernel": "quantized_bits(5,0,0,alpha=1)",
}
VALUES = {
    "two roundings": {"rnn_activation": "quantized_relu(12,0)", "state": "quantized_relu(9,0)"},
    "one rounding": {"rnn_activation": "quantized_relu(9,0)", "state": "quantized_relu(9,0)"},
    "both signs": {"rnn_activation": "quantized_bits(13,0,0,alpha=1)",
                   "state": "quantized_bits(9,0,0,alpha=1)",
                   "dense_activation": "quantized_bits(10,1,0,alpha=1)"},
    "saturation": {"rnn_activation": "quantized_relu(3,0)", "state": "quantized_relu(2,0)",
                   "dense_activation": "quantized_relu(3,0)"},
}  # fmt: skip


def half_up(chosen):
    values = ("activation", "state")
    return {
        tensor: quantizer.rounded("half_up") if tensor.endswith(values) else quantizer
        for tensor, quantizer in chosen.items()
    }


@pytest.mark.parametrize("name", VALUES)
def test_either_rounding_is_that_of_qkeras_lane_by_lane(name):
    """Every other lane rounds half up; all have the same weights, so the rounding shows."""
    rng = np.random.default_rng(3)
    even = quantizers(**TIES | VALUES[name])
    sets = [half_up(even) if lane % 2 else even for lane in range(lanes())]
    weights = [random_weights(5, rng, 0.4)] * lanes()
    compared = Compared(sets, weights, windows(rng))
    compared.check()
    outputs = compared.stack.predict(compared.data)
    np.testing.assert_array_equal(outputs[:, ::2], outputs[:, :1].repeat(lanes() // 2, axis=1))
    assert np.count_nonzero(outputs[:, 0] != outputs[:, 1]) > COUNT / 50


@pytest.mark.parametrize("rounding", ["half_even", "half_up"])
def test_a_state_that_is_the_activation_lets_all_of_its_gradient_through(rounding):
    """QKeras, asked to quantize it again, changes no value, but stops the gradient at 0."""
    rng = np.random.default_rng(8)
    coarse = {"rnn_activation": "quantized_relu(4,0)", "state": "quantized_relu(4,0)"}
    again = quantizers(**TIES | coarse)
    tensors = ("rnn/activation", "rnn/state")
    once = again | {t: again[t].rounded(rounding, named=True) for t in tensors}
    one, data = random_weights(5, rng, 0.4), windows(rng)
    for name in ("rnn/kernel", "dense/kernel"):  # so that no unit is dead
        one[name] = np.abs(one[name])
    weights = [one] * lanes()
    compared = Compared([once, again] * (lanes() // 2), weights, data)
    compared.check()
    outputs = compared.stack.predict(data)
    assert len(np.unique(outputs)) > 10
    assert np.array_equal(outputs[:, 0], outputs[:, 1]) == (rounding == "half_even")
    order = np.tile(np.arange(COUNT, dtype=np.uint32)[:, None], (1, lanes()))
    gradients, _ = compared.stack.gradients(data, order)
    first, second = (gradients[lane]["rnn/kernel"] for lane in (0, 1))
    assert np.any(np.abs(first - second) > 1e-3 * np.abs(second).max())


def test_negative_values_half_way_go_up_too():
    """One unit that hands on its samples, which lie on the values of the activation or between."""
    rng = np.random.default_rng(5)
    data = windows(rng)
    steps = rng.integers(-20, 21, len(data.samples))
    data = Windows((steps / 16).astype(np.float32) / 8, data.truth, LENGTH, 0)
    one = "quantized_bits(4,2,0,alpha=1)"
    even = quantizers(
        kernel=one, recurrent=one, dense_kernel=one,
        rnn_activation="quantized_bits(7,0,0,alpha=1)", state="quantized_bits(7,0,0,alpha=1)",
        dense_activation="quantized_bits(11,0,0,alpha=1)",
    )  # fmt: skip
    shapes = Architecture("SimpleRNN", 1, LENGTH).weight_shapes
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    for name in ("rnn/kernel", "dense/kernel"):
        weights[name] += np.float32(1)
    compared = Compared([even, half_up(even)] * (lanes() // 2), [weights] * lanes(), data)
    compared.check()
    last = steps[LENGTH - 1 :][:COUNT] / 2  # in steps of the activation
    outputs = compared.stack.predict(data) * 64
    np.testing.assert_array_equal(outputs[:, 1], np.floor(last + 0.5))
    np.testing.assert_array_equal(outputs[:, 0], np.rint(last))
    assert np.any(outputs[last < 0, 0] < outputs[last < 0, 1])


@pytest.mark.parametrize(
    "changed",
    [
        {"kernel": "quantized_bits(6,0,0,alpha=1,rounding='half_up')"},
        {"kernel": "quantized_po2(4)"},
        {"kernel": "binary"},
        {"kernel": "quantized_bits(6,0,1)"},
        {"kernel": "binary(1,alpha='auto_po2')"},
        {"kernel": "ternary(alpha='auto_po2')"},
        {"recurrent": "quantized_bits(6,0,1,alpha='auto')"},
        {"recurrent": "quantized_bits(6,0,1,alpha=0.5)"},
        {"recurrent": "quantized_bits(6,0,0,use_stochastic_rounding=1)"},
        {"state": "quantized_relu_po2(4)"},
        {"state": "quantized_relu(8,0,negative_slope=0.5)"},
        {"state": "quantized_bits(8,0,0,alpha='auto_po2')"},
        {"dense_activation": "quantized_tanh(8)"},
    ],
    ids=str,
)
def test_what_a_stack_does_not_know_is_left_to_keras(changed):
    form = Architecture("SimpleRNN", 7, LENGTH)
    assert network_formats(form, quantizers()) is not None
    assert network_formats(form, quantizers(**changed)) is None


def test_gated_cells_and_wide_networks_are_left_to_keras():
    assert network_formats(Architecture("GRU", 7, LENGTH), {}) is None
    assert network_formats(Architecture("SimpleRNN", 65, LENGTH), {}) is None
    assert network_formats(Architecture("SimpleRNN", 7, LENGTH), {}, 65) is None
    assert network_formats(Architecture("SimpleRNN", 64, LENGTH), {}) is not None
