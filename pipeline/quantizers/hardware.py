"""Which quantizers hardware can have, and the fixed-point types they round into."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pipeline.base.architecture import INPUT, Architecture
from pipeline.base.fixed_point_type import FixedPointType, Rounding
from pipeline.quantizers.powers_of_two import activation_exponents, is_power_of_two
from pipeline.quantizers.quantizer import Quantizer, QuantizerError

# Above it, float32 has no exact `2**bits - 1`: QKeras saturates one step too high.
_MAX_ACTIVATION_BITS = 24


def activation_type(quantizer: Quantizer, key: str) -> FixedPointType:
    """Return the fixed-point type that a quantizer rounds an activation into.

    ``quantized_relu(bits, integer)`` is unsigned with ``bits - integer``
    fraction bits; ``quantized_bits(bits, integer)`` is signed, of which one bit
    is the sign. Both round half to even, or half up if they say so, and saturate
    (``tf.round``, ``clip``).
    ``quantized_relu_po2`` and ``quantized_po2`` round to powers of two, see
    `pipeline.quantizers.powers_of_two.activation_exponents`.

    Raises
    ------
    QuantizerError
        If the quantizer is not a plain fixed-point one or one to powers of two, or has more
        bits than QKeras computes exactly.
    """
    if is_power_of_two(quantizer):
        lowest, highest = activation_exponents(quantizer, key)
        signed = quantizer.name == "quantized_po2"
        bits = highest - lowest + 1 + signed
        return FixedPointType(signed=signed, bits=bits, fraction_bits=-lowest, rounding="PO2")
    if quantizer.bits > _MAX_ACTIVATION_BITS:
        raise QuantizerError(
            f"{key}: {quantizer.text}: expected at most {_MAX_ACTIVATION_BITS} bits, "
            "which is what float32 holds"
        )
    arguments = quantizer.arguments
    integer = int(arguments.get("integer", 0))
    rounding: Rounding = "RND" if quantizer.half_up else "RND_CONV"
    plain_relu = quantizer.name == "quantized_relu" and not (
        arguments.get("use_sigmoid") or arguments.get("negative_slope")
    )
    if plain_relu and not arguments.get("use_stochastic_rounding"):
        return FixedPointType(
            signed=False,
            bits=quantizer.bits,
            fraction_bits=quantizer.bits - integer,
            rounding=rounding,
        )
    plain_bits = quantizer.name == "quantized_bits" and arguments.get("alpha") in (None, 1, 1.0)
    if plain_bits and not (arguments.get("symmetric") or arguments.get("use_stochastic_rounding")):
        signed = bool(arguments.get("keep_negative", True))
        return FixedPointType(
            signed=signed,
            bits=quantizer.bits,
            fraction_bits=quantizer.bits - signed - integer,
            rounding=rounding,
        )
    raise QuantizerError(
        f"{key}: {quantizer.text} has no fixed-point type; expected quantized_relu(bits,integer) "
        "or quantized_bits(bits,integer,0,alpha=1), or of powers of two quantized_relu_po2(bits) "
        "or quantized_po2(bits)"
    )


def gate_type(
    quantizer: Quantizer, key: str, function: Literal["sigmoid", "tanh"]
) -> FixedPointType:
    """Return the fixed-point type that the quantizer of a gate rounds a function into.

    ``quantized_tanh(bits,use_real_tanh=1)`` is signed with ``bits - 1`` fraction bits,
    ``quantized_sigmoid(bits,use_real_sigmoid=1)`` unsigned with `bits`.

    Raises
    ------
    QuantizerError
        If it is not that class, or another function: without ``use_real_...`` QKeras takes a
        piecewise linear one, for which hls4ml's recurrent templates have no table.
    """
    arguments = quantizer.arguments
    real = quantizer.name == f"quantized_{function}" and arguments.get(f"use_real_{function}")
    if not real or arguments.get("symmetric") or arguments.get("use_stochastic_rounding"):
        raise QuantizerError(
            f"{key}: {quantizer.text}: expected quantized_{function}(bits,use_real_{function}=1), "
            "which is what hls4ml's recurrent templates have"
        )
    if quantizer.bits > _MAX_ACTIVATION_BITS:
        raise QuantizerError(
            f"{key}: {quantizer.text}: expected at most {_MAX_ACTIVATION_BITS} bits, "
            "which is what float32 holds"
        )
    signed = function == "tanh"
    return FixedPointType(signed=signed, bits=quantizer.bits, fraction_bits=quantizer.bits - signed)


ACTIVATIONS = ("/activation", "/recurrent_activation", "/state")
_HALF = 0.5  # the mantissa of a power of two


def check_exportable(architecture: Architecture, quantizers: Mapping[str, Quantizer]) -> None:
    """Check, before any training, that the network will be one of integers.

    Raises
    ------
    QuantizerError
        If a tensor has no quantizer, the quantizer of an activation is no
        fixed-point type, the scale of a weight's quantizer is no power of two, or that
        quantizer is a leaky ReLU.
    """
    missing = [tensor for tensor in architecture.tensors if tensor not in quantizers]
    if missing:
        raise QuantizerError(
            f"not an integer network: no quantizer for {', '.join(missing)} "
            "(search.limit, search.layer_indexes)"
        )
    for tensor, quantizer in quantizers.items():
        if tensor == INPUT or tensor.endswith(ACTIVATIONS):
            stored_type(architecture, tensor, quantizer, tensor)
        else:
            check_weight(tensor, quantizer)
        check_scale(tensor, quantizer)


def stored_type(
    architecture: Architecture, tensor: str, quantizer: Quantizer, key: str
) -> FixedPointType:
    """Return the type of the input, a state or an activation, by ``layer/tensor``.

    Raises
    ------
    QuantizerError
        If the quantizer has none in this place; `key` names it.
    """
    gated = architecture.gated
    if gated and quantizer.half_up:
        raise QuantizerError(
            f"{key}: {quantizer.text}: rounding half up is for a SimpleRNN; expected no rounding: "
            f"a cell of type {architecture.cell} rounds in hls4ml's templates, half to even"
        )
    if is_power_of_two(quantizer) and (gated or tensor == INPUT):
        raise QuantizerError(
            f"{key}: {quantizer.text}: powers of two have a hardware form as weights, and as state "
            "and activation of a SimpleRNN; expected "
            + (
                "a quantizer of fixed point here"
                if gated
                else "quantized_bits(bits,integer,0,alpha=1)"
            )
        )
    if gated and tensor == "rnn/activation":
        return gate_type(quantizer, key, "tanh")
    if gated and tensor == "rnn/recurrent_activation":
        return gate_type(quantizer, key, "sigmoid")
    stored = activation_type(quantizer, key)
    if gated and tensor == "rnn/state" and not stored.signed:
        raise QuantizerError(
            f"{key}: {quantizer.text}: expected quantized_bits(bits,integer,0,alpha=1): the state "
            f"of a cell of type {architecture.cell} has both signs"
        )
    return stored


def rounds_state_once(quantizers: Mapping[str, Quantizer]) -> bool:
    """Whether the state of a SimpleRNN is its activation, not quantized a second time.

    It is where both have the same quantizer, which names its rounding. A string of QKeras' own
    means what QKeras does: it quantizes again, which changes no value but stops the gradient of
    values that were rounded to 0.
    """
    activation, state = (quantizers.get(tensor) for tensor in ("rnn/activation", "rnn/state"))
    return state is not None and state == activation and state.names_rounding


def check_weight(tensor: str, quantizer: Quantizer) -> None:
    """Refuse a leaky ReLU on weights: it shrinks its own negative values each time it is applied.

    A frozen network then would not be the one that its file gives back. Another rounding is
    refused too: weights are constants in hardware, and a scale that follows them has its own.
    """
    if quantizer.half_up:
        raise QuantizerError(
            f"{tensor}: {quantizer.text}: rounding is of values between layers; expected a "
            "weight's quantizer without rounding"
        )
    slope = quantizer.arguments.get("negative_slope", 0)
    if slope not in (0, 1):
        raise QuantizerError(
            f"{tensor}: {quantizer.text} multiplies negative weights by {slope} each time it is "
            "applied; expected a weight's quantizer without negative_slope"
        )


def check_scale(tensor: str, quantizer: Quantizer) -> None:
    """Check that a scale is a power of two; see `check_exportable`."""
    if not _power_of_two(quantizer.arguments.get("alpha")):
        raise QuantizerError(
            f"{tensor}: the scale of {quantizer.text} is no power of two; "
            "expected alpha=1 or alpha='auto_po2'"
        )


def _power_of_two(alpha: Any) -> bool:
    """Whether a scale is a shift. Every float32 is a fixed-point number, but one of 24 bits."""
    if isinstance(alpha, str) or alpha is None:
        return alpha != "auto"
    return math.frexp(alpha)[0] == _HALF
