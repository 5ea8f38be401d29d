"""The quantized network as a QKeras model: built, started from float weights, frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.architecture import DENSE_LAYER, INPUT, RNN_LAYER, Architecture
from pipeline.base.arrays import F32
from pipeline.networks.float_network import get_weights, named_variables, set_weights
from pipeline.networks.runtime import without_autograph
from pipeline.quantizers import qkeras_compat
from pipeline.quantizers.hardware import ACTIVATIONS, rounds_state_once
from pipeline.quantizers.powers_of_two import build_activation
from pipeline.quantizers.quantizer import SMALLEST_EXPONENT, Quantizer, QuantizerError

# Rounds of quantizing after which a weight must stand still.
_SETTLE_ROUNDS = 8
_QUANTIZER_OF = {
    "kernel": "kernel_quantizer",
    "recurrent_kernel": "recurrent_quantizer",
    "bias": "bias_quantizer",
}
ROUNDED_STATE = "rounded_state"
_FOLLOWING_SCALES = ("auto", "auto_po2")
_WEIGHT_TENSORS = ("kernel", "recurrent_kernel", "bias")


@without_autograph
def build_quantized_network(
    architecture: Architecture,
    quantizers: Mapping[str, Quantizer],
    *,
    unroll: bool = True,
) -> tf.keras.Model:
    """Build ``Input -> QActivation -> Q<cell>(units) -> QDense(1)`` with QKeras layers.

    Behind a gated cell stands one more QActivation with the state's quantizer.

    Parameters
    ----------
    architecture
        Cell, units and time steps.
    quantizers
        By tensor, see `Architecture.tensors`. A tensor that is left out stays
        float, with the float network's activation.
    unroll
        Unroll the loop over time steps, which compiles far better.

    Returns
    -------
    tf.keras.Model
        float32 (batch, L, 1) -> (batch, 1); trainable tensors have the names
        and shapes of the float network.
    """
    unknown = set(quantizers) - set(architecture.tensors)
    if unknown:
        raise ValueError(f"no such tensors: {sorted(unknown)}")

    def make(tensor: str, default: Any = None) -> Any:
        if tensor not in quantizers:
            return default
        if tensor.endswith(ACTIVATIONS):
            return build_activation(quantizers[tensor], tensor)
        return quantizers[tensor].build()

    def constraint(tensor: str) -> Any:
        """Take away QKeras' bound of 1 where the scale follows the weights: see `_unbounded`."""
        scale = quantizers[tensor].arguments.get("alpha") if tensor in quantizers else None
        return _unbounded if scale in _FOLLOWING_SCALES else None

    cell = architecture.cell
    inputs = tf.keras.Input((architecture.window_length, 1), name="samples")
    hidden = inputs
    if INPUT in quantizers:
        hidden = qkeras_compat.QActivation(make(INPUT), name="input_quantizer")(hidden)
    options: dict[str, Any] = {}
    if cell == "GRU":
        options["reset_after"] = True  # as the float network and hls4ml's template
    if architecture.gated:
        options["recurrent_activation"] = make(f"{RNN_LAYER}/recurrent_activation", "sigmoid")
    recurrent = qkeras_compat.RECURRENT_LAYERS[cell](
        architecture.units,
        activation=make(f"{RNN_LAYER}/activation", "tanh" if architecture.gated else "relu"),
        kernel_quantizer=make(f"{RNN_LAYER}/kernel"),
        recurrent_quantizer=make(f"{RNN_LAYER}/recurrent_kernel"),
        bias_quantizer=make(f"{RNN_LAYER}/bias"),
        state_quantizer=None if rounds_state_once(quantizers) else make(f"{RNN_LAYER}/state"),
        kernel_constraint=constraint(f"{RNN_LAYER}/kernel"),
        recurrent_constraint=constraint(f"{RNN_LAYER}/recurrent_kernel"),
        bias_constraint=constraint(f"{RNN_LAYER}/bias"),
        unroll=unroll,
        name=RNN_LAYER,
        **options,
    )
    if cell == "GRU" and f"{RNN_LAYER}/recurrent_kernel" not in quantizers:
        # QKeras' GRU would use the kernel in place of an unquantized recurrent kernel.
        recurrent.cell.recurrent_quantizer = recurrent.cell.recurrent_quantizer_internal = (
            tf.identity
        )
    recurrent.build(hidden.shape)
    with _weights_quantized_once(recurrent):
        hidden = recurrent(hidden)
    if architecture.gated and f"{RNN_LAYER}/state" in quantizers:
        # QKeras rounds the state where it is read, a gated cell puts out an unrounded product:
        # firmware rounds what it stores, and the Dense layer reads the last of it.
        hidden = qkeras_compat.QActivation(make(f"{RNN_LAYER}/state"), name=ROUNDED_STATE)(hidden)
    outputs = qkeras_compat.QDense(
        1,
        activation=make(f"{DENSE_LAYER}/activation", "relu"),
        kernel_quantizer=make(f"{DENSE_LAYER}/kernel"),
        bias_quantizer=make(f"{DENSE_LAYER}/bias"),
        kernel_constraint=constraint(f"{DENSE_LAYER}/kernel"),
        bias_constraint=constraint(f"{DENSE_LAYER}/bias"),
        name=DENSE_LAYER,
    )(hidden)
    return tf.keras.Model(inputs, outputs)


def _unbounded(weights: tf.Tensor) -> tf.Tensor:
    """Leave weights as a step has made them.

    QKeras keeps the weights of every quantized layer within 1, or the largest value of their
    quantizer, after each step. No hardware asks for that where the scale follows the weights; a
    float network whose recurrent weights reach 5.7 loses its function in the first step.
    """
    return weights


def forward(model: tf.keras.Model, inputs: tf.Tensor, training: bool) -> tf.Tensor:
    """Call the model, quantizing the recurrent layer's weights once instead of at each step.

    The values and gradients are those of ``model(inputs)``; the graph is about
    `window_length` times smaller, which is most of what a trial compiles.
    """
    with _weights_quantized_once(model.get_layer(RNN_LAYER)):
        return model(inputs, training=training)


@contextmanager
def _weights_quantized_once(layer: Any) -> Iterator[None]:
    """Let the cell's weight quantizers return one tensor, computed here, while inside."""
    cell = layer.cell
    kept = {}
    for tensor, quantizer in _QUANTIZER_OF.items():
        attribute = f"{quantizer}_internal"
        kept[attribute] = getattr(cell, attribute)
        if kept[attribute] is not None:
            quantized = kept[attribute](getattr(cell, tensor))
            setattr(cell, attribute, lambda _, quantized=quantized: quantized)
    try:
        yield
    finally:
        for attribute, original in kept.items():
            setattr(cell, attribute, original)


def freeze(model: tf.keras.Model) -> None:
    """Put every weight on its quantizer's grid and make the forward pass exact.

    While training, QKeras returns ``x + stop_gradient(q(x) - x)``, which in
    float32 is not always q(x) to the last bit. `freeze` switches to QKeras'
    other form (``use_ste=False``), which is q(x) exactly, and replaces every
    weight by its quantized value. The model must not be trained afterwards, and
    must be frozen before it is first traced.

    A power of two below 2**-23 becomes 2**-23 (see `_raised`): QKeras writes 0 as the smallest
    power that the bits allow, with 8 bits 2**-64 or 2**-128, which no hardware type reaches.

    Raises
    ------
    QuantizerError
        If quantizing a quantized weight keeps changing it: such a network would
        not mean the same when it is loaded from its file. (A scale that is
        derived from the weights can need a second round; see `_settle`.)
    """
    without_ste(model)
    for name, variable in named_variables(model).items():
        quantizer = _weight_quantizer(model, name)
        if quantizer is not None:
            variable.assign(_settle(quantizer, variable.numpy(), name))


def without_ste(model: tf.keras.Model) -> None:
    """Switch every quantizer to QKeras' form that is exact, and not for training."""
    for quantizer in _quantizer_objects(model):
        quantizer.use_ste = False


def frozen_weights(
    architecture: Architecture, quantizers: Mapping[str, Quantizer], weights: Mapping[str, F32]
) -> dict[str, F32]:
    """Return trained weights on their quantizers' grids; see `freeze`."""
    model = build_quantized_network(architecture, quantizers)
    set_weights(model, weights)
    freeze(model)
    return get_weights(model)


def _settle(quantizer: Any, values: F32, name: str) -> F32:
    """Quantize until nothing changes."""
    for _ in range(_SETTLE_ROUNDS):
        quantized = np.asarray(quantizer(tf.constant(values)), np.float32)
        before, values = values, _raised(quantizer, quantized, values)
        if np.array_equal(before, quantized) and np.array_equal(before, values):
            return values
    raise QuantizerError(
        f"{name}: {quantizer} still moves its own values after {_SETTLE_ROUNDS} rounds; "
        "use a quantizer of fixed scale (alpha=1)"
    )


def _raised(quantizer: Any, quantized: F32, values: F32) -> F32:
    """Raise powers of two that QKeras takes for 0 to the smallest that it does not.

    That is still a value of the quantizer. Where a power is below float32's normal numbers,
    `quantized` is 0 and its sign is that of `values`, as in QKeras.
    """
    if not isinstance(quantizer, qkeras_compat.POWERS_OF_TWO):
        return quantized
    even = quantizer.quadratic_approximation  # exponents are even then
    signed = quantizer.min() < 0  # not so for a ReLU
    floor = np.float32(2.0 ** (SMALLEST_EXPONENT + bool(even)))
    negative = (quantized < 0) | ((quantized == 0) & (values < 0) & signed)
    return np.where(np.abs(quantized) < floor, np.where(negative, -floor, floor), quantized)


def _weight_quantizer(model: tf.keras.Model, name: str) -> Any:
    layer_name, tensor = name.split("/")
    layer = model.get_layer(layer_name)
    if layer_name == RNN_LAYER:
        return layer.get_quantizers()[_WEIGHT_TENSORS.index(tensor)]
    return layer.get_quantizers()[("kernel", "bias").index(tensor)]


def _quantizer_objects(model: tf.keras.Model) -> Iterator[Any]:
    for layer in model.layers:
        candidates = [*getattr(layer, "get_quantizers", list)()]
        inner = getattr(layer, "cell", layer)
        for attribute in ("activation", "recurrent_activation", "quantizer"):
            candidates.append(getattr(inner, attribute, None))
        yield from (item for item in candidates if hasattr(item, "use_ste"))
