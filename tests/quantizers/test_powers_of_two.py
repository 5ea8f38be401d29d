"""What QKeras does with `max_value`, and what is made of it here."""

import numpy as np
import pytest
import tensorflow as tf

from pipeline.quantizers import qkeras_compat
from pipeline.quantizers.hardware import activation_type
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


@pytest.mark.parametrize("text", ["quantized_relu_po2(8,0)", "quantized_po2(4,1)"])
def test_as_an_activation_it_is_refused_with_a_reason(text):
    with pytest.raises(QuantizerError, match=r"^rnn/state: .*as weights, not as .*expected"):
        activation_type(parse_quantizer(text, "rnn/state"), "rnn/state")
