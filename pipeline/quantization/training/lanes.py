"""Quantizers as a stack of networks reads them: which it knows, and their numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pipeline.base.architecture import Architecture
from pipeline.networks.stack.formats import (
    IDENTITY,
    NetworkFormats,
    ValueFormat,
    WeightFormat,
    WeightKind,
)
from pipeline.networks.stack.stack import most_units
from pipeline.quantizers.hardware import rounds_state_once
from pipeline.quantizers.quantizer import Quantizer

_PLAIN = ("bits", "integer", "symmetric", "keep_negative", "alpha")


def network_formats(
    architecture: Architecture, quantizers: Mapping[str, Quantizer], units: int | None = None
) -> NetworkFormats | None:
    """Return the numbers of a network's quantizers, or None if a stack cannot train it.

    A stack knows SimpleRNN, with weights that are float or have `quantized_bits` of fixed or
    ``auto_po2`` scale or ``binary(alpha='auto_po2')``, and with `quantized_relu` and
    `quantized_bits`, of either rounding, between the layers. The input may have any quantizer: it
    is applied once to all samples.
    """
    if architecture.gated or (units or architecture.units) > most_units():
        return None
    once = rounds_state_once(quantizers)
    weights = {
        name: _weight(quantizers.get(tensor))
        for name, tensor in {
            "kernel": "rnn/kernel",
            "recurrent_kernel": "rnn/recurrent_kernel",
            "bias": "rnn/bias",
            "dense_kernel": "dense/kernel",
            "dense_bias": "dense/bias",
        }.items()
    }
    values = {
        "activation": _value(quantizers.get("rnn/activation"), ValueFormat()),
        "state": _value(None if once else quantizers.get("rnn/state"), IDENTITY),
        "output": _value(quantizers.get("dense/activation"), ValueFormat()),
    }
    if None in [*weights.values(), *values.values()]:
        return None
    return NetworkFormats(**weights, **values)  # type: ignore[arg-type]  # None is ruled out


def _weight(quantizer: Quantizer | None) -> WeightFormat | None:
    if quantizer is None:
        return WeightFormat()
    arguments = quantizer.arguments
    alpha = arguments.get("alpha")
    if quantizer.name == "binary":
        known = alpha == "auto_po2" and not set(arguments) - {"alpha"}
        return WeightFormat(WeightKind.BINARY_AUTO_PO2) if known else None
    if quantizer.name != "quantized_bits" or _unknown(arguments):
        return None
    bits, integer = quantizer.bits, arguments.get("integer", 0)
    signed = bool(arguments.get("keep_negative", True))
    if alpha == "auto_po2":
        known = signed and not arguments.get("scale_axis")
        most = 2.0 ** (bits - 1) - 1
        return WeightFormat(WeightKind.AUTO_PO2, high=most, unit=2.0**integer) if known else None
    if alpha != 1:  # QKeras' layers make `auto_po2` of None, not for every tensor
        return None
    step, low, high = _fixed(quantizer)
    return WeightFormat(WeightKind.FIXED, step, low, high, unit=2.0**integer)


def _value(quantizer: Quantizer | None, floating: ValueFormat) -> ValueFormat | None:
    if quantizer is None:
        return floating
    arguments = {name: v for name, v in quantizer.arguments.items() if name != "rounding"}
    if quantizer.name == "quantized_bits":
        if _unknown(arguments) or arguments.get("alpha") not in (None, 1):
            return None
        step, low, high = _fixed(quantizer)
        bounds = low * step, high * step
        return ValueFormat(True, step, *bounds, -math.inf, math.inf, quantizer.half_up)
    if quantizer.name != "quantized_relu" or any(
        arguments.get(flag) for flag in ("use_sigmoid", "negative_slope", "use_stochastic_rounding")
    ):
        return None
    step = 2.0 ** (arguments.get("integer", 0) - quantizer.bits)
    largest = (2.0**quantizer.bits - 1) * step
    return ValueFormat(True, step, 0.0, largest, 0.0, largest, quantizer.half_up)


def _fixed(quantizer: Quantizer) -> tuple[float, float, float]:
    """Return step, and smallest and largest multiple of it, of `quantized_bits` with alpha 1."""
    arguments = quantizer.arguments
    signed = bool(arguments.get("keep_negative", True))
    magnitude = 2.0 ** (quantizer.bits - signed)
    step = 2.0 ** arguments.get("integer", 0) / magnitude
    low = -magnitude + bool(arguments.get("symmetric", 0)) if signed else 0.0
    return step, low, magnitude - 1


def _unknown(arguments: Mapping[str, object]) -> bool:
    return bool(arguments.get("use_stochastic_rounding")) or bool(set(arguments) - {*_PLAIN})
