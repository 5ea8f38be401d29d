"""What QKeras does with powers of two, and what is made of it here."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.architecture import Architecture
from pipeline.integers.fixed_point import dequantize, quantize
from pipeline.quantizers import qkeras_compat
from pipeline.quantizers.hardware import activation_type, stored_type
from pipeline.quantizers.powers_of_two import build_activation
from pipeline.quantizers.quantizer import SMALLEST_EXPONENT, QuantizerError, parse_quantizer

NUMBERS = np.float32([1e-6, 0.01, 0.3, 0.75, 1, 2.9, 5])
CLASSES = ["quantized_po2", "quantized_relu_po2"]


@pytest.mark.parametrize("name", CLASSES)
def test_qkeras_makes_nan_of_a_limit_of_zero_which_it_reads_as_none_elsewhere(name):
    """Why 0 is left out of the arguments; when upstream mends it, this test says so."""
    quantizer = qkeras_compat.quantizer_class(name)(8, 0)
    assert np.isnan(quantizer(tf.constant(NUMBERS)).numpy()).all()
    assert quantizer.max() == max(1.0, 2**quantizer._max_exp)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("zero", ["0", "0.0", "max_value=0"])
@pytest.mark.parametrize("bits", [4, 8])
def test_a_limit_of_zero_is_none(name, zero, bits):
    found, expected = (
        parse_quantizer(text, "test").build()(tf.constant(NUMBERS)).numpy()
        for text in (f"{name}({bits},{zero})", f"{name}({bits})")
    )
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CLASSES)
def test_the_smallest_exponent_is_the_first_that_qkeras_keeps(name):
    quantizer = qkeras_compat.quantizer_class(name)(8, 2)
    quantizer.use_ste = False
    smallest = np.float32(2.0**SMALLEST_EXPONENT)
    kept, lost = quantizer(tf.constant([smallest, smallest / 2])).numpy()
    assert kept == smallest
    assert lost < smallest / 2


EXPONENTS = {
    "quantized_relu_po2(8,0)": (-15, 7),
    "quantized_relu_po2(8)": (-15, 7),
    "quantized_relu_po2(32)": (-15, 7),
    "quantized_relu_po2(4)": (-8, 7),
    "quantized_relu_po2(3,0)": (-4, 3),
    "quantized_relu_po2(2)": (-2, 1),
    "quantized_relu_po2(8,1)": (-15, 0),
    "quantized_relu_po2(3,1)": (-8, 0),
    "quantized_relu_po2(3,0.5)": (-8, -1),
    "quantized_relu_po2(8,1.4)": (-15, 0),
    "quantized_relu_po2(8,1.5)": (-15, 1),
    "quantized_relu_po2(8,3)": (-15, 2),
    "quantized_relu_po2(8,512)": (-15, 7),
    "quantized_relu_po2(8,6.103515625e-05)": (-15, -14),
    "quantized_po2(8,0)": (-15, 7),
    "quantized_po2(4)": (-4, 3),
    "quantized_po2(4,1)": (-8, 0),
    "quantized_po2(2,4)": (-1, 0),
    "quantized_po2(5,max_value=2)": (-8, 1),
}
KEY = "rnn/state"


def type_and_object(text):
    quantizer = parse_quantizer(text, KEY)
    made = build_activation(quantizer, KEY)
    made.use_ste = False
    return activation_type(quantizer, KEY), made


@pytest.mark.parametrize("text", EXPONENTS)
def test_the_type_of_an_activation_has_these_exponents(text):
    of, _ = type_and_object(text)
    lowest, highest = EXPONENTS[text]
    assert of.signed == text.startswith("quantized_po2")
    assert (of.rounding, of.overflow, of.fraction_bits) == ("PO2", "SAT", -lowest)
    assert of.bits == highest - lowest + 1 + of.signed
    assert of.maximum * of.step == 2.0**highest
    assert of.minimum * of.step == (-(2.0**highest) if of.signed else 2.0**lowest)


def beside_thresholds(of, dtype):
    """Both sides of every threshold as close as floats are, powers, zeros and extremes."""
    exponents = np.arange(-of.fraction_bits - 3, of.highest_power - of.fraction_bits + 4)
    first = np.ldexp(np.sqrt(0.5), exponents).astype(dtype)
    numbers = [first, np.ldexp(1.0, exponents).astype(dtype)]
    for towards in (0, np.inf):
        near = first
        for _ in range(3):
            near = np.nextafter(near, dtype(towards))
            numbers.append(near)
    numbers.append(np.array([0, 1e-7, 5e-8, 1e-30, 1e30, 3e4], dtype))
    positive = np.concatenate(numbers)
    return np.concatenate([positive, -positive])


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("text", EXPONENTS)
def test_qkeras_object_and_integers_round_alike(text, dtype, compiled):
    of, made = type_and_object(text)
    values = beside_thresholds(of, dtype)
    call = tf.function(made, jit_compile=compiled)
    found = call(tf.constant(values)).numpy()
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, dequantize(quantize(values, of), of))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(EXPONENTS)),
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)
             | st.floats(-130, 130, width=32, allow_subnormal=False), min_size=1),
)  # fmt: skip
def test_any_float_is_rounded_alike(text, values):
    of, made = type_and_object(text)
    found = made(tf.constant(np.float32(values))).numpy()
    np.testing.assert_array_equal(found, dequantize(quantize(np.float32(values), of), of))


@pytest.mark.parametrize(
    "text",
    [
        "quantized_relu_po2(4)", "quantized_relu_po2(3,1)", "quantized_relu_po2(3,3)",
        "quantized_po2(4)", "quantized_po2(4,1)", "quantized_po2(5,2)",
    ],
)  # fmt: skip
def test_away_from_thresholds_it_is_qkeras_own_with_its_gradient(text):
    """These have no exponent beyond those that are kept."""
    quantizer = parse_quantizer(text, KEY)
    values = np.float32(
        [-300, -1.1, -0.3, -1e-5, -0.0, 0, 1e-9, 0.001, 0.06, 0.3, 0.9, 2.6, 3.1, 200]
    )
    inputs = tf.constant(values)
    results = []
    for made in (quantizer.build(), build_activation(quantizer, KEY)):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = made(inputs)
        results.append((outputs.numpy(), tape.gradient(outputs, inputs).numpy()))
        assert (made.max(), made.min()) == (quantizer.build().max(), quantizer.build().min())
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_qkeras_own_logarithm_rounds_wrongly_beside_thresholds():
    """Why activations have a class of their own."""
    text = "quantized_relu_po2(4)"
    of, _ = type_and_object(text)
    own = parse_quantizer(text, KEY).build()
    own.use_ste = False
    values = beside_thresholds(of, np.float32)
    found = own(tf.constant(values)).numpy()
    assert (found != dequantize(quantize(values, of), of)).any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quantized_relu_po2(8,0,0.5)", "without negative_slope"),
        ("quantized_relu_po2(8,1,use_stochastic_rounding=1)", "without use_stochastic_rounding"),
        ("quantized_po2(8,0,1)", "without use_stochastic_rounding"),
        ("quantized_po2(8,quadratic_approximation=True)", "without quadratic_approximation"),
        ("quantized_relu_po2(8,0.00001)", r"max_value .* at least 2\*\*-14"),
    ],
)
def test_an_activation_without_a_hardware_form_is_refused(text, said):
    quantizer = parse_quantizer(text, KEY)
    for refused in (activation_type, build_activation):
        with pytest.raises(QuantizerError, match=rf"^rnn/state: .*{said}") as caught:
            refused(quantizer, KEY)
        assert text in str(caught.value)


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize("tensor", ["rnn/state", "dense/activation", "rnn/activation", "input"])
def test_a_gated_cell_has_none(cell, tensor):
    quantizer = parse_quantizer("quantized_po2(8,0)", tensor)
    with pytest.raises(QuantizerError, match=f"^{tensor}: .*a SimpleRNN; expected "):
        stored_type(Architecture(cell, 4, 5), tensor, quantizer, tensor)


def test_the_samples_are_none():
    quantizer = parse_quantizer("quantized_po2(8,0)", "input")
    with pytest.raises(QuantizerError, match=r"^input: .*expected quantized_bits"):
        stored_type(Architecture("SimpleRNN", 4, 5), "input", quantizer, "input")
