"""The quantized network: its tensors, that none stays float, and what freezing does."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture, quantized_tensors
from pipeline.networks.float_network import (
    build_float_network,
    get_weights,
    set_weights,
)
from pipeline.quantization.training.network import (
    build_quantized_network,
    forward,
    freeze,
    frozen_weights,
)
from pipeline.quantizers.quantizer import QuantizerError
from tests.networks.sequences import weight_shapes
from tests.quantization.quantizer_sets import SETS, quantizer_set, random_weights, random_windows

CELLS = ["SimpleRNN", "LSTM", "GRU"]
UNITS, LENGTH = 3, 4


def make(name: str, cell: str = "SimpleRNN", **changed: str) -> tf.keras.Model:
    architecture = Architecture(cell, UNITS, LENGTH)
    model = build_quantized_network(architecture, quantizer_set(name, cell, **changed))
    set_weights(model, random_weights(architecture.weight_shapes))
    return model


def outputs(model: tf.keras.Model, n: int = 500) -> np.ndarray:
    return model(random_windows(n, LENGTH)[..., None], training=False).numpy()


@pytest.mark.parametrize("cell", CELLS)
def test_names_and_shapes_are_those_of_the_float_network(cell):
    quantized = weight_shapes(
        build_quantized_network(Architecture(cell, UNITS, LENGTH), quantizer_set("8 bits", cell))
    )
    assert quantized == weight_shapes(build_float_network(Architecture(cell, UNITS, LENGTH)))
    gates = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}[cell]
    assert quantized == {
        "rnn/kernel": (1, gates * UNITS),
        "rnn/recurrent_kernel": (UNITS, gates * UNITS),
        "rnn/bias": (2, gates * UNITS) if cell == "GRU" else (gates * UNITS,),
        "dense/kernel": (UNITS, 1),
        "dense/bias": (1,),
    }


@pytest.mark.parametrize("cell", CELLS)
def test_no_tensor_stays_float(cell):
    """Every place where a layer can hold a quantizer holds the one that was asked for."""
    quantizers = quantizer_set("8 bits", cell)
    model = build_quantized_network(Architecture(cell, UNITS, LENGTH), quantizers)
    rnn, dense = model.get_layer("rnn"), model.get_layer("dense")
    found = {
        "input": model.get_layer("input_quantizer").quantizer,
        "rnn/kernel": rnn.cell.kernel_quantizer_internal,
        "rnn/recurrent_kernel": rnn.cell.recurrent_quantizer_internal,
        "rnn/bias": rnn.cell.bias_quantizer_internal,
        "rnn/state": rnn.cell.state_quantizer_internal,
        "rnn/activation": rnn.cell.activation,
        "dense/kernel": dense.kernel_quantizer_internal,
        "dense/bias": dense.bias_quantizer_internal,
        "dense/activation": dense.activation,
    }
    if cell != "SimpleRNN":
        found["rnn/recurrent_activation"] = rnn.cell.recurrent_activation
    assert set(found) == set(quantized_tensors(cell))
    for tensor, quantizer in quantizers.items():
        expected = quantizer.build()
        assert type(found[tensor]) is type(expected), tensor
        assert found[tensor].get_config() == expected.get_config(), tensor
    names = ["input_quantizer", "rnn", "dense"]
    if cell != "SimpleRNN":
        names.insert(2, "rounded_state")
        rounded = model.get_layer("rounded_state").quantizer
        assert rounded.get_config() == quantizers["rnn/state"].build().get_config()
    assert [layer.name for layer in model.layers[1:]] == names


@pytest.mark.parametrize("tensor", quantized_tensors("SimpleRNN"))
def test_every_quantizer_acts_on_the_output(tensor):
    """Coarser in one tensor only: the network answers otherwise."""
    coarse = {
        "input": "quantized_bits(3,0,0,alpha=1)",
        "kernel": "quantized_bits(2,0,0,alpha=1)",
        "recurrent_kernel": "quantized_bits(2,0,0,alpha=1)",
        "bias": "quantized_bits(3,0,0,alpha=1)",
        "activation": "quantized_relu(2,0)",
        "state": "quantized_relu(2,0)",
    }[tensor.split("/")[-1]]
    ordinary = outputs(make("8 bits"))
    changed = outputs(make("8 bits", **{tensor.replace("/", "_"): coarse}))
    assert np.mean(ordinary != changed) > 0.1


@pytest.mark.parametrize("cell", CELLS)
def test_without_quantizers_it_is_the_float_network(cell):
    architecture = Architecture(cell, UNITS, LENGTH)
    weights = random_weights(architecture.weight_shapes)
    quantized = build_quantized_network(architecture, {})
    floating = build_float_network(architecture)
    set_weights(quantized, weights)
    set_weights(floating, weights)
    expected = outputs(floating)
    assert np.ptp(expected) > 0.02
    np.testing.assert_allclose(outputs(quantized), expected, atol=1e-6)


def test_an_unknown_tensor_is_refused():
    architecture, quantizers = Architecture("SimpleRNN", UNITS, LENGTH), quantizer_set("8 bits")
    with pytest.raises(ValueError, match="rnn/kernels"):
        build_quantized_network(architecture, {"rnn/kernels": quantizers["rnn/kernel"]})
    with pytest.raises(ValueError, match="recurrent_activation"):
        build_quantized_network(architecture, quantizer_set("8 bits", "LSTM"))


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
def test_gated_cells_run_and_have_gradients(cell):
    model = make("8 bits", cell)
    windows = random_windows(64, LENGTH)[..., None]
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(windows, training=True) - 0.3))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert all(np.isfinite(gradient.numpy()).all() for gradient in gradients)
    assert all(np.any(gradient.numpy()) for gradient in gradients)
    assert len(np.unique(outputs(model))) > 5


@pytest.mark.parametrize("name", SETS)
def test_freeze_puts_weights_on_their_grid_and_is_idempotent(name):
    model = make(name)
    before = get_weights(model)
    freeze(model)
    frozen = get_weights(model)
    quantizers = quantizer_set(name)
    for tensor, values in frozen.items():
        assert np.any(values != before[tensor]), tensor
        quantizer = quantizers[tensor].build()
        quantizer.use_ste = False
        np.testing.assert_array_equal(quantizer(tf.constant(values)).numpy(), values)
    again = make(name)
    set_weights(again, frozen)
    freeze(again)
    for tensor, values in get_weights(again).items():
        np.testing.assert_array_equal(values, frozen[tensor])


@pytest.mark.parametrize("bits", [4, 8])
def test_a_frozen_weight_is_a_multiple_of_the_step(bits):
    model = make(f"{bits} bits")
    freeze(model)
    scaled = get_weights(model)["rnn/recurrent_kernel"] * 2.0 ** (bits - 1)
    np.testing.assert_array_equal(scaled, np.rint(scaled))
    assert np.abs(scaled).max() <= 2 ** (bits - 1)
    assert len(np.unique(scaled)) > 3


def test_the_frozen_forward_pass_is_exact():
    """``x + (q(x) - x)`` in float32 is not always q(x); the frozen form is.

    The finest activation shows it: one rounding error is as large as its step.
    """
    model = make("8 bits", dense_activation="quantized_relu(24,0)")
    activation = model.get_layer("dense").activation
    values = tf.constant(np.float32([1e-3, 0.1234567, 0.7654321]) * np.float32(1.0000001))
    activation.use_ste = True
    trained = activation(values).numpy()
    freeze(model)
    assert activation.use_ste is False
    frozen = activation(values).numpy() * 2.0**24
    np.testing.assert_array_equal(frozen, np.rint(frozen))
    np.testing.assert_allclose(trained, activation(values).numpy(), atol=2.0**-23)


def test_freeze_reaches_every_quantizer_of_a_gated_cell():
    model = make("8 bits", "LSTM")
    rnn = model.get_layer("rnn")
    freeze(model)
    quantizers = [*rnn.get_quantizers(), rnn.cell.activation, rnn.cell.recurrent_activation]
    flags = [quantizer.use_ste for quantizer in quantizers if hasattr(quantizer, "use_ste")]
    assert len(flags) >= 4
    assert not any(flags)


def test_frozen_weights_are_those_of_the_frozen_network():
    model = make("auto_po2")
    weights = get_weights(model)
    found = frozen_weights(
        Architecture("SimpleRNN", UNITS, LENGTH), quantizer_set("auto_po2"), weights
    )
    freeze(model)
    for name, values in get_weights(model).items():
        np.testing.assert_array_equal(found[name], values)
        assert not np.array_equal(values, weights[name]), name


class Restless:
    """Halves what it is given, for ever."""

    use_ste = True

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        return values / 2


def test_a_quantizer_that_never_settles_is_refused():
    model = make("8 bits")
    model.get_layer("dense").quantizers[0] = Restless()
    with pytest.raises(QuantizerError, match=r"dense/kernel: .*still moves.*alpha=1"):
        freeze(model)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", ["8 bits", "auto_po2", "ternary"])
def test_quantizing_weights_once_changes_no_value_and_no_gradient(cell, name):
    model = make(name, cell)
    inputs = tf.constant(random_windows(300, LENGTH)[..., None])
    quantizer = model.get_layer("rnn").cell.kernel_quantizer_internal

    def outputs_and_gradients(call):
        with tf.GradientTape() as tape:
            output = call(model, inputs, True)
            loss = tf.reduce_mean(tf.square(output - 0.3))
        return output, tape.gradient(loss, model.trainable_variables)

    plain, plain_gradients = outputs_and_gradients(lambda m, x, t: m(x, training=t))
    once, once_gradients = outputs_and_gradients(forward)
    np.testing.assert_array_equal(plain, once)
    assert any(np.any(gradient) for gradient in plain_gradients)
    for a, b in zip(plain_gradients, once_gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)
    assert model.get_layer("rnn").cell.kernel_quantizer_internal is quantizer


def test_weights_are_quantized_once_per_call(monkeypatch):
    model = make("8 bits")
    calls = []
    quantizer = model.get_layer("rnn").cell.kernel_quantizer_internal
    monkeypatch.setattr(
        model.get_layer("rnn").cell,
        "kernel_quantizer_internal",
        lambda weight: calls.append(1) or quantizer(weight),
    )
    forward(model, tf.constant(random_windows(5, LENGTH)[..., None]), False)
    assert len(calls) == 1
