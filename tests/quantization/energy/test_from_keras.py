"""Models become descriptions; what the energy model does not know is an error."""

from dataclasses import replace
from typing import Any

import pytest
import tensorflow as tf
from qkeras import QGRU, QLSTM, QActivation, quantized_bits, quantized_po2, quantized_relu

from pipeline.base.architecture import Architecture
from pipeline.networks.float_network import build_float_network
from pipeline.quantization.energy.description import EnergyError, float_network
from pipeline.quantization.training.network import build_quantized_network
from pipeline.quantizers.quantizer import parse_quantizer
from tests.quantization.energy.from_keras import describe_model, quantizer_text

layers = tf.keras.layers


def chain(*rest: Any, shape: tuple[Any, ...] = (5, 1)) -> tf.keras.Model:
    return tf.keras.Sequential([tf.keras.Input(shape), *rest])


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_float_network(cell: Any) -> None:
    assert describe_model(build_float_network(Architecture(cell, 8, 5))) == float_network(
        Architecture(cell, 8, 5)
    )


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_quantized_network(cell: Any) -> None:
    """The model that the search would train, and the description made from strings."""
    texts = {
        "input": "quantized_bits(bits=12,integer=1,keep_negative=True)",
        "rnn/kernel": "quantized_bits(alpha=1,bits=6,integer=1)",
        "rnn/recurrent_kernel": "ternary(alpha=1)",
        "rnn/bias": "quantized_bits(alpha=1,bits=7,integer=1)",
        "rnn/state": "quantized_bits(bits=6,integer=2)",
        "rnn/activation": "quantized_relu(bits=8,integer=2)",
        "dense/kernel": "quantized_po2(bits=4,max_value=2)",
        "dense/bias": "quantized_bits(alpha=1,bits=5)",
        "dense/activation": "quantized_relu(bits=9,integer=1)",
    }
    texts["input"] = "quantized_bits(bits=12,integer=1)"
    if cell != "SimpleRNN":
        texts["rnn/recurrent_activation"] = "quantized_sigmoid(bits=5)"
    quantizers = {key: parse_quantizer(text, key) for key, text in texts.items()}
    model = build_quantized_network(Architecture(cell, 8, 5), quantizers)
    described = describe_model(model)
    assert described == float_network(Architecture(cell, 8, 5)).with_quantizers(texts)


@pytest.mark.parametrize(
    ("rounding", "folded"),
    [("quantized_bits(6,2)", True), ("quantized_bits(5,2)", False), (None, False)],
)
def test_only_a_rounding_into_the_state_is_part_of_a_gated_layer(
    rounding: str | None, folded: bool
) -> None:
    def quantizer(text: str) -> Any:
        return parse_quantizer(text, "rnn/state").build()

    behind = [] if rounding is None else [QActivation(quantizer(rounding), name="behind")]
    state = quantizer("quantized_bits(6,2)")
    kernel = quantizer("quantized_bits(6,1,1,alpha=1)")
    model = chain(
        QLSTM(3, kernel_quantizer=kernel, state_quantizer=state, name="rnn"),
        *behind,
        layers.Dense(1, name="dense"),
    )
    rnn, *rest = describe_model(model).layers
    assert rnn == replace(rnn, unrounded_output=not folded)
    assert [layer.name for layer in rest] == ["dense"] if folded or not behind else ["behind"]


def test_a_leading_activation_is_a_layer_when_the_input_has_a_quantizer() -> None:
    def model() -> tf.keras.Model:
        return chain(
            QActivation(quantized_bits(6, 1)), layers.SimpleRNN(3, name="rnn"), layers.Dense(1)
        )

    folded = describe_model(model())
    assert folded.input == "quantized_bits(bits=6,integer=1)"
    assert folded.layers[0].name == "rnn"
    kept = describe_model(model(), "quantized_bits(12,1,0)")
    assert kept.input == "quantized_bits(12,1,0)"
    assert len(kept.layers) == 3
    assert describe_model(model(), quantized_bits(12)).input == "quantized_bits(bits=12)"


@pytest.mark.parametrize(
    ("quantizer", "text"),
    [
        (None, None),
        (tf.keras.activations.relu, None),
        ("quantized_bits(4,0)", "quantized_bits(4,0)"),
        (quantized_po2(4, max_value=1.5), "quantized_po2(bits=4,max_value=1.5)"),
        (quantized_relu(8, 0, relu_upper_bound=0.7), "quantized_relu(bits=8)"),
        (
            quantized_bits(6, -1, keep_negative=False, alpha="auto_po2"),
            "quantized_bits(alpha='auto_po2',bits=6,integer=-1,keep_negative=False)",
        ),
    ],
)
def test_quantizer_text(quantizer: Any, text: str | None) -> None:
    assert quantizer_text(quantizer) == text


def test_a_scale_per_channel_is_an_error() -> None:
    with pytest.raises(EnergyError, match="alpha"):
        quantizer_text(quantized_bits(4, alpha=tf.constant([1.0, 2.0])))


def test_options_of_recurrent_layers() -> None:
    model = chain(
        layers.GRU(3, return_sequences=True, name="first"),
        layers.Activation("relu", name="relu"),
        layers.LSTM(2, use_bias=False, name="second"),
        layers.Dense(1, use_bias=False, name="dense"),
    )
    first, relu, second, dense = describe_model(model).layers
    assert first.output_shape == relu.output_shape == second.input_shape == (5, 3)
    assert first.weight_shapes["bias"] == (2, 9)
    assert set(second.weight_shapes) == {"kernel", "recurrent_kernel"}
    assert set(dense.weight_shapes) == {"kernel"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: chain(layers.Flatten()), "Flatten is not modelled"),
        (lambda: chain(layers.Bidirectional(layers.LSTM(2))), "Bidirectional is not modelled"),
        (lambda: chain(layers.BatchNormalization()), "BatchNormalization is not modelled"),
        (lambda: chain(layers.Dense(2)), "expected a vector"),
        (lambda: chain(layers.SimpleRNN(2), shape=(None, 1)), "fixed shape"),
        (lambda: tf.keras.Sequential([layers.Dense(2)]), "not built"),
        (lambda: chain(), "at least one layer"),
        (lambda: chain(QActivation("relu"), layers.LSTM(2)), "expected a quantizer"),
    ],
)
def test_refused_models(model: Any, message: str) -> None:
    with pytest.raises(EnergyError, match=message):
        describe_model(model(), "quantized_bits(8,0,1)")


def test_stateful_layers_do_not_start_from_zero() -> None:
    inputs = tf.keras.Input(batch_shape=(1, 5, 1))
    model = tf.keras.Model(inputs, layers.SimpleRNN(2, stateful=True)(inputs))
    with pytest.raises(EnergyError, match="stateful"):
        describe_model(model)


def test_a_returned_state_is_an_error() -> None:
    inputs = tf.keras.Input((5, 1))
    output, *_ = layers.LSTM(2, return_state=True)(inputs)
    with pytest.raises(EnergyError, match=r"return_state|one chain"):
        describe_model(tf.keras.Model(inputs, output))


def test_a_branch_is_no_chain() -> None:
    inputs = tf.keras.Input((4,))
    left, right = layers.Dense(3)(inputs), layers.Dense(3)(inputs)
    with pytest.raises(EnergyError, match="one chain"):
        describe_model(tf.keras.Model(inputs, [left, right]))


def test_a_layer_used_twice_is_no_chain() -> None:
    inputs = tf.keras.Input((4,))
    shared = layers.Dense(4)
    with pytest.raises(EnergyError, match="one chain"):
        describe_model(tf.keras.Model(inputs, shared(shared(inputs))))


def test_a_gru_that_qkeras_computes_wrongly() -> None:
    """Without a recurrent quantizer QKeras multiplies the state by the kernel."""
    kernel = parse_quantizer("quantized_bits(6,1,1,alpha=1)", "rnn/kernel").build()
    model = chain(QGRU(4, kernel_quantizer=kernel), shape=(5, 4))
    with pytest.raises(EnergyError, match="QKeras' GRU"):
        describe_model(model)
