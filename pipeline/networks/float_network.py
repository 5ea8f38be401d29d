"""The float network: one recurrent layer, unrolled in time, and one Dense output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from pipeline.base.architecture import DENSE_LAYER, RNN_LAYER, Architecture
from pipeline.base.arrays import F32
from pipeline.networks.runtime import without_autograph

# LSTM and GRU keep Keras' usual activations. `reset_after=True` is the GRU that hls4ml's
# templates compute, whatever their options are: the reset gate scales U h + b_r, not h. It is
# Keras' default, too; its bias has two rows, of the kernel's and of the recurrent sum.
_CELL_OPTIONS: dict[str, dict[str, Any]] = {
    "SimpleRNN": {"activation": "relu"},
    "LSTM": {},
    "GRU": {"reset_after": True},
}


@without_autograph
def build_float_network(architecture: Architecture) -> tf.keras.Model:
    """Build ``Input(L, 1) -> cell(units) -> Dense(1, relu)``; a SimpleRNN has ReLU, too.

    The loop over time steps is unrolled: five small matrix products compile to far
    better code than a ``while`` loop of one.

    Returns
    -------
    tf.keras.Model
        Takes float32 (batch, L, 1), returns float32 (batch, 1); layers are
        named ``rnn`` and ``dense``.
    """
    inputs = tf.keras.Input((architecture.window_length, 1), name="samples")
    layer = getattr(tf.keras.layers, architecture.cell)
    options = _CELL_OPTIONS[architecture.cell]
    hidden = layer(architecture.units, unroll=True, name=RNN_LAYER, **options)(inputs)
    outputs = tf.keras.layers.Dense(1, activation="relu", name=DENSE_LAYER)(hidden)
    return tf.keras.Model(inputs, outputs)


def named_variables(model: tf.keras.Model) -> dict[str, tf.Variable]:
    """Return trainable variables by ``layer/tensor``, e.g. ``rnn/recurrent_kernel``."""
    return {
        f"{layer.name}/{variable.name.split('/')[-1].split(':')[0]}": variable
        for layer in model.layers
        for variable in layer.trainable_variables
    }


def get_weights(model: tf.keras.Model) -> dict[str, F32]:
    """Copy the weights out, by ``layer/tensor``."""
    return {name: variable.numpy() for name, variable in named_variables(model).items()}


def set_weights(model: tf.keras.Model, weights: Mapping[str, F32]) -> None:
    """Copy weights in; names and shapes must be those of the model."""
    variables = named_variables(model)
    if set(variables) != set(weights):
        raise ValueError(f"expected tensors {sorted(variables)}, found {sorted(weights)}")
    for name, variable in variables.items():
        variable.assign(weights[name])
