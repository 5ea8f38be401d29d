"""Quantizer strings: what is understood, what is refused, and what QKeras then computes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.base.architecture import quantized_tensors
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.fixed_point import dequantize, quantize
from pipeline.params import load_params
from pipeline.quantizers.hardware import activation_type, gate_type
from pipeline.quantizers.quantizer import Quantizer, QuantizerError, parse_quantizer

KEY = "search.quantization_config.kernel"


@pytest.mark.parametrize(
    ("text", "name", "arguments", "bits"),
    [
        ("quantized_bits(6,1,0,alpha=1)", "quantized_bits",
         {"bits": 6, "integer": 1, "symmetric": 0, "alpha": 1}, 6),
        ("quantized_bits(4, 0, 1, alpha='auto_po2')", "quantized_bits",
         {"bits": 4, "integer": 0, "symmetric": 1, "alpha": "auto_po2"}, 4),
        ("quantized_bits(1,0,keep_negative=False)", "quantized_bits",
         {"bits": 1, "integer": 0, "keep_negative": False}, 1),
        ("quantized_bits", "quantized_bits", {}, 8),
        ("quantized_relu(5,0)", "quantized_relu", {"bits": 5, "integer": 0}, 5),
        ("quantized_relu(1)", "quantized_relu", {"bits": 1}, 1),
        ("quantized_relu(4,0,0,0.25)", "quantized_relu",
         {"bits": 4, "integer": 0, "use_sigmoid": 0, "negative_slope": 0.25}, 4),
        ("quantized_po2(5,max_value=2)", "quantized_po2", {"bits": 5, "max_value": 2}, 5),
        ("quantized_po2(8,0)", "quantized_po2", {"bits": 8}, 8),
        ("quantized_po2(8,max_value=0.0)", "quantized_po2", {"bits": 8}, 8),
        ("quantized_relu_po2(8,0)", "quantized_relu_po2", {"bits": 8}, 8),
        ("quantized_po2(8,1)", "quantized_po2", {"bits": 8, "max_value": 1}, 8),
        ("quantized_po2(5,None)", "quantized_po2", {"bits": 5, "max_value": None}, 5),
        ("quantized_tanh(7)", "quantized_tanh", {"bits": 7}, 7),
        ("quantized_sigmoid(7)", "quantized_sigmoid", {"bits": 7}, 7),
        ("binary(alpha=1)", "binary", {"alpha": 1}, 1),
        ("stochastic_binary()", "stochastic_binary", {}, 1),
        ("ternary(alpha=0.5,threshold=0.25)", "ternary", {"alpha": 0.5, "threshold": 0.25}, 2),
        ("stochastic_ternary", "stochastic_ternary", {}, 2),
    ],
)  # fmt: skip
def test_parsing(text, name, arguments, bits):
    quantizer = parse_quantizer(text, KEY)
    assert quantizer == Quantizer(text, name, arguments)
    assert quantizer.bits == bits
    built = quantizer.build()
    assert type(built).__name__ == name
    for argument, value in arguments.items():
        if hasattr(built, argument):
            assert getattr(built, argument) == value


@pytest.mark.parametrize(
    "text",
    [
        "quantized_bits(6,1,0,alpha=1)",
        "quantized_bits(4,0,1,alpha='auto_po2')",
        "quantized_bits(4,2,0,keep_negative=False)",
        "quantized_relu(5,2)",
        "quantized_relu(5,2,rounding='half_up')",
        "quantized_bits(6,1,0,alpha=1,rounding='half_up')",
        "quantized_tanh(6)",
    ],
)
def test_what_qkeras_prints_of_an_object_parses_to_an_equal_object(text):
    built = parse_quantizer(text, KEY).build()
    again = parse_quantizer(str(built), KEY).build()
    assert type(again) is type(built)
    assert again.get_config() == built.get_config()


def test_the_default_parameters_parse():
    search = load_params().search
    texts = {text for entries in search.quantization_config.values() for text in entries}
    assert len(texts) >= 10
    for text in texts:
        assert parse_quantizer(text, KEY).text == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "expected a quantizer such as"),
        ("6", "expected a quantizer such as"),
        ("quantized_bits(6", "expected a quantizer such as"),
        ("quantized_bits(6) + 1", "expected a quantizer such as"),
        ("quantized_bits(6); 1", "expected a quantizer such as"),
        ("qkeras.quantized_bits(6)", "expected a quantizer such as"),
        ("lambda: 0", "expected a quantizer such as"),
        ("a\0b", "expected a quantizer such as"),
        ("quantized_bit(6,1,0)", "unknown quantizer 'quantized_bit'"),
        ("relu", "unknown quantizer 'relu'"),
        ("hard_tanh(3)", "unknown quantizer 'hard_tanh'"),
        ("print(1)", "unknown quantizer 'print'"),
        ("quantized_tanh(4,0,0,0,1)", "more than 4 arguments"),
        ("quantized_bits(4,bit=3)", "unknown or repeated argument 'bit'"),
        ("quantized_bits(4,bits=3)", "unknown or repeated argument 'bits'"),
        ("quantized_bits(4,use_ste=False)", "unknown or repeated argument 'use_ste'"),
        ("quantized_bits(**{'bits': 3})", "unknown or repeated argument None"),
        ("quantized_bits(*[3])", "bits of .* must be a plain number or string"),
        ("quantized_bits(2*3)", "bits of .* must be a plain number or string"),
        ("quantized_bits(6,integer=int('1'))", "integer of .* must be a plain number"),
        ("quantized_bits(6,{[]: 1})", "integer of .* must be a plain number"),
        ("quantized_bits(1)", r"bits of .* in 2\.\.32, found 1"),
        ("quantized_bits(0,keep_negative=False)", r"bits of .* in 1\.\.32, found 0"),
        ("quantized_bits(33)", r"bits of .* in 2\.\.32, found 33"),
        ("quantized_bits(6.0)", r"bits of .* found 6\.0"),
        ("quantized_bits('6')", r"bits of .* found '6'"),
        ("quantized_relu(True)", r"bits of .* found True"),
        ("quantized_relu(0)", r"bits of .* in 1\.\.32, found 0"),
        ("quantized_relu(4,5)", r"integer of .* in 0\.\.bits, found 5"),
        ("quantized_bits(4,-1)", r"integer of .* in 0\.\.bits, found -1"),
        ("quantized_bits(4,0.5)", r"integer of .* in 0\.\.bits, found 0\.5"),
        ("quantized_bits(4,0,1,alpha='auto_p02')", "alpha of .* 'auto_po2', found 'auto_p02'"),
        ("quantized_bits(4,0,alpha=0)", "alpha of .* above 0.* found 0"),
        ("quantized_bits(4,0,alpha=-1)", "alpha of .* above 0.* found -1"),
        ("quantized_bits(4,0,alpha=1e999)", "alpha of .* found inf"),
        ("quantized_bits(4,0,alpha=[1, 2])", r"alpha of .* found \[1, 2\]"),
        ("quantized_bits(4,0,alpha=True)", "alpha of .* found True"),
        ("quantized_bits(4,0,2)", "symmetric of .* must be 0 or 1, found 2"),
        ("quantized_bits(4,keep_negative='no')", "keep_negative of .* 0 or 1, found 'no'"),
        ("quantized_relu(4,0,0,0.3)", r"negative_slope of .* power of two, found 0\.3"),
        ("quantized_relu(4,0,0,-0.5)", r"negative_slope of .* power of two, found -0\.5"),
        ("quantized_relu(4,0,None)", "use_sigmoid of .* found None"),
        ("ternary(threshold=-1)", "threshold of .* above 0, found -1"),
        ("quantized_po2(4,'x')", "max_value of .* above 0, found 'x'"),
        ("quantized_po2(4,-1)", "max_value of .* above 0, found -1"),
        ("quantized_relu_po2(4,False)", "max_value of .* above 0, found False"),
        ("quantized_po2(4,max_value=1e999)", "max_value of .* above 0, found inf"),
        ("quantized_po2(4,0.001)", r"max_value of .* at least 2\*\*-7, found 0.001.* one size"),
        ("quantized_relu_po2(8,1e-8)", r"max_value of .* at least 2\*\*-22, found 1e-08"),
        ("quantized_relu(4,rounding='up')",
         "rounding of .* must be 'half_even' or 'half_up', found 'up'"),
        ("quantized_bits(4,rounding=True)", "rounding of .* or 'half_up', found True"),
        ("quantized_relu(4,0,0,0,0,'half_up')", "more than 5 arguments"),
        ("quantized_po2(4,rounding='half_up')", "unknown or repeated argument 'rounding'"),
        ("quantized_tanh(4,rounding='half_up')", "unknown or repeated argument 'rounding'"),
        ("(" * 10_000, "10000 characters"),
        ("-" * 100_000 + "1", "100001 characters"),
    ],
)  # fmt: skip
def test_a_bad_string_is_one_clear_error_that_names_the_key(text, found):
    with pytest.raises(QuantizerError, match=found) as caught:
        parse_quantizer(text, KEY)
    message = str(caught.value)
    assert message.startswith(f"{KEY}: ")
    assert "\n" not in message
    assert len(message) < 600


def test_no_string_is_executed(tmp_path):
    trace = tmp_path / "executed"
    attack = f"__import__('pathlib').Path({str(trace)!r}).touch()"
    for text in (
        attack,
        f"quantized_bits({attack})",
        f"quantized_bits(4,alpha={attack})",
        f"[quantized_bits for _ in [{attack}]]",
        f"(lambda: {attack})()",
    ):
        with pytest.raises(QuantizerError):
            parse_quantizer(text, KEY)
    assert not trace.exists()
    eval(attack, {})
    assert trace.exists()  # the same string, executed, leaves its trace


def test_parsing_needs_no_tensorflow():
    code = (
        "import sys; from pipeline.quantizers.hardware import check_exportable;"
        "from pipeline.quantizers.quantizer import parse_quantizer;"
        "parse_quantizer('quantized_bits(4)', 'k'); sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(("cell", "count"), [("SimpleRNN", 9), ("LSTM", 10), ("GRU", 10)])
def test_quantized_tensors(cell, count):
    names = quantized_tensors(cell)
    assert len(set(names)) == len(names) == count
    assert ("rnn/recurrent_activation" in names) == (cell != "SimpleRNN")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("quantized_relu(8,0)", (False, 8, 8)),
        ("quantized_relu(8,3)", (False, 8, 5)),
        ("quantized_relu(4,4)", (False, 4, 0)),
        ("quantized_relu", (False, 8, 8)),
        ("quantized_bits(12,0,0,alpha=1)", (True, 12, 11)),
        ("quantized_bits(12,0,0)", (True, 12, 11)),
        ("quantized_bits(6,2,0,alpha=1.0)", (True, 6, 3)),
        ("quantized_bits(6,6)", (True, 6, -1)),
        ("quantized_bits(6,2,0,keep_negative=False)", (False, 6, 4)),
        ("quantized_bits(24)", (True, 24, 23)),
    ],
)
def test_activation_type(text, expected):
    signed, bits, fraction_bits = expected
    found = activation_type(parse_quantizer(text, KEY), "rnn/state")
    assert found == FixedPointType(signed=signed, bits=bits, fraction_bits=fraction_bits)
    assert (found.rounding, found.overflow) == ("RND_CONV", "SAT")


@pytest.mark.parametrize("text", ["quantized_relu(8,3)", "quantized_bits(12,0,0,alpha=1)"])
def test_the_type_of_an_activation_that_rounds_half_up(text):
    even = activation_type(parse_quantizer(text, KEY), KEY)
    up = activation_type(parse_quantizer(text, KEY).rounded("half_up"), KEY)
    assert up == even.model_copy(update={"rounding": "RND"})


@pytest.mark.parametrize(
    ("text", "half_up"),
    [
        ("quantized_relu(8,0)", "quantized_relu(8,0,rounding='half_up')"),
        ("quantized_relu", "quantized_relu(rounding='half_up')"),
        (
            "quantized_bits( 6, 1,0,alpha=1, ) # (",
            "quantized_bits(6,1,0,alpha=1,rounding='half_up')",
        ),
        ("quantized_relu(8,rounding='half_even')", "quantized_relu(8,rounding='half_even')"),
        ("quantized_relu_po2(4,0)", "quantized_relu_po2(4,0)"),
        ("quantized_tanh(4,use_real_tanh=1)", "quantized_tanh(4,use_real_tanh=1)"),
    ],
)
def test_a_rounding_stands_in_the_string_of_what_has_a_half_way(text, half_up):
    quantizer = parse_quantizer(text, KEY)
    assert quantizer.rounded("half_even") is quantizer
    named = quantizer.rounded("half_even", named=True)
    kept = quantizer.names_rounding or half_up == text
    assert named.text == (text if kept else half_up.replace("half_up", "half_even"))
    assert not named.half_up
    rounded = quantizer.rounded("half_up")
    assert rounded.text == half_up
    assert rounded == parse_quantizer(half_up, KEY)
    assert rounded.half_up == (half_up != text)
    assert rounded.bits == quantizer.bits
    assert rounded.rounded("half_up") is rounded


@pytest.mark.parametrize(
    "text",
    [
        "quantized_relu(8,0,1)",
        "quantized_relu(8,0,0,0.25)",
        "quantized_relu(8,0,use_stochastic_rounding=True)",
        "quantized_bits(8,0,1)",
        "quantized_bits(8,0,0,alpha=0.5)",
        "quantized_bits(8,0,1,alpha='auto')",
        "quantized_bits(8,0,1,alpha='auto_po2')",
        "quantized_bits(8,0,0,use_stochastic_rounding=True)",
        "quantized_po2(4,0,1)",
        "quantized_relu_po2(4,0,0.5)",
        "quantized_tanh(8)",
        "quantized_sigmoid(8)",
        "binary(alpha=1)",
        "ternary(alpha=1)",
        "quantized_relu(25,0)",
        "quantized_bits(32,0,0,alpha=1)",
    ],
)
def test_an_activation_that_is_no_fixed_point_is_refused(text):
    with pytest.raises(QuantizerError, match=r"^rnn/state: .*expected") as caught:
        activation_type(parse_quantizer(text, KEY), "rnn/state")
    assert text in str(caught.value)


def exact_qkeras(quantizer: Quantizer, values: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    built = quantizer.build()
    built.use_ste = False
    return np.asarray(built(tf.constant(values)), np.float64)


@st.composite
def plain_quantizers(draw) -> str:
    bits = draw(st.integers(2, 24))
    integer = draw(st.integers(0, bits))
    rounding = draw(st.sampled_from(["", ",rounding='half_up'"]))
    return draw(
        st.sampled_from(
            [
                f"quantized_relu({bits},{integer}{rounding})",
                f"quantized_bits({bits},{integer},0,alpha=1{rounding})",
                f"quantized_bits({bits},{integer},0,keep_negative=False{rounding})",
            ]
        )
    )


FLOATS = st.floats(-(2.0**70), 2.0**70, width=32, allow_subnormal=False)


@settings(deadline=None)  # the first example may be what loads TensorFlow
@given(plain_quantizers(), st.lists(FLOATS, min_size=1, max_size=20), st.integers(0, 2**32 - 1))
@example("quantized_relu(24,0)", [1.0, 0.99999994], 0)
@example("quantized_bits(24,24,0,alpha=1)", [-0.5, 2.0**24], 0)
@example("quantized_bits(8,8,0,alpha=1,rounding='half_up')", [0.49999997, -0.5, -0.50000006], 0)
@example("quantized_relu(24,0,rounding='half_up')", [1.0, 0.99999994], 0)
def test_qkeras_rounds_and_saturates_as_the_type_says(text, values, seed):
    """The evaluator is the firmware's, which shares nothing with QKeras or float32."""
    quantizer = parse_quantizer(text, KEY)
    of = activation_type(quantizer, KEY)
    rng = np.random.default_rng(seed)
    ties = (rng.integers(of.minimum - 2, of.maximum + 3, 50) + 0.5) * of.step
    grid = rng.integers(of.minimum - 2, of.maximum + 3, 20) * of.step
    spread = rng.normal(0, of.maximum * of.step, 50)
    inputs = np.concatenate([values, ties, grid, spread]).astype(np.float32)
    expected = dequantize(quantize(inputs, of), of)
    assert np.array_equal(exact_qkeras(quantizer, inputs), expected)


@pytest.mark.parametrize("use_ste", [True, False])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "text", ["quantized_relu(3,1)", "quantized_bits(4,2,0,alpha=1)", "quantized_bits(4,2)"]
)
def test_half_up_differs_at_ties_alone_and_has_the_gradient_of_qkeras(text, compiled, use_ste):
    import tensorflow as tf

    even = parse_quantizer(text, KEY)
    of = activation_type(even, KEY)
    steps = np.arange(of.minimum - 3, of.maximum + 4, 0.25)
    inputs = tf.constant(np.float32(steps * of.step))
    results = []
    for quantizer in (even, even.rounded("half_up")):
        built = quantizer.build()
        built.use_ste = use_ste
        call = tf.function(built, jit_compile=compiled)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = call(inputs)
        gradient = tape.gradient(outputs, inputs, unconnected_gradients="zero")
        results.append((outputs.numpy() / of.step, gradient.numpy()))
    (to_even, slope), (up, slope_up) = results
    tie = np.abs(steps % 1) == 0.5
    inside = (steps > of.minimum) & (steps < of.maximum)
    goes_up = tie & inside & (np.floor(steps) % 2 == 0)
    assert np.count_nonzero(goes_up) >= 3
    np.testing.assert_array_equal(up - to_even, goes_up)
    np.testing.assert_array_equal(slope_up, slope)
    assert slope.any() == use_ste


def test_half_up_leaves_other_quantizers_and_errors_leave_qkeras_as_they_were():
    import tensorflow as tf

    up = parse_quantizer("quantized_relu(4,2,rounding='half_up')", KEY)
    even = parse_quantizer("quantized_relu(4,2)", KEY)
    ties = np.float32([0.125, 0.375, 0.625])
    for _ in range(2):
        assert exact_qkeras(up, ties).tolist() == [0.25, 0.5, 0.75]
        assert exact_qkeras(even, ties).tolist() == [0.0, 0.5, 0.5]
        with pytest.raises(tf.errors.UnimplementedError):
            up.build()(tf.constant("no number"))


def test_qkeras_saturates_wrongly_beyond_the_bits_that_are_allowed():
    """Why activations end at 24 bits: 2**25 - 1 is no float32."""
    found = exact_qkeras(parse_quantizer("quantized_relu(25,0)", KEY), np.float32([5.0]))
    assert found[0] == 1.0
    assert FixedPointType(signed=False, bits=25, fraction_bits=25).maximum * 2.0**-25 < 1.0


def test_types_of_gates():
    tanh = parse_quantizer("quantized_tanh(9,use_real_tanh=1)", KEY)
    sigmoid = parse_quantizer("quantized_sigmoid(8,use_real_sigmoid=1)", KEY)
    found = gate_type(tanh, KEY, "tanh"), gate_type(sigmoid, KEY, "sigmoid")
    assert [(of.signed, of.bits, of.fraction_bits) for of in found] == [(True, 9, 8), (False, 8, 8)]


@pytest.mark.parametrize(
    ("text", "function"),
    [
        ("quantized_tanh(8)", "tanh"),  # piecewise linear
        ("quantized_tanh(8,use_real_tanh=1,symmetric=1)", "tanh"),
        ("quantized_tanh(8,use_real_tanh=1,use_stochastic_rounding=1)", "tanh"),
        ("quantized_sigmoid(8,use_real_sigmoid=1)", "tanh"),
        ("quantized_relu(8,0)", "tanh"),
        ("quantized_sigmoid(8)", "sigmoid"),
        ("quantized_bits(8,0,0,alpha=1)", "sigmoid"),
    ],
)
def test_a_gate_that_hls4ml_has_no_table_for_is_refused(text, function):
    with pytest.raises(
        QuantizerError, match=rf"{KEY}: .* expected quantized_{function}\(bits,use_re"
    ):
        gate_type(parse_quantizer(text, KEY), KEY, function)


def test_a_gate_that_float32_does_not_hold_is_refused():
    wide = parse_quantizer("quantized_tanh(25,use_real_tanh=1)", KEY)
    with pytest.raises(QuantizerError, match="at most 24 bits"):
        gate_type(wide, KEY, "tanh")
