"""QKeras quantiser strings as QTools types, without QTools' silent substitutions.

QTools answers a quantiser that it does not know with an 8-bit default, and some
that it does know with a type of another width. Each such case is an
`EnergyError` here; the reasons stand beside the checks and in docs/energy.md.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from pipeline.base.errors import PipelineError
from pipeline.quantization.energy.description import EnergyError
from pipeline.quantization.energy.qtools import IQuantizer, QuantizedBits, QuantizerFactory
from pipeline.quantization.energy.qtools import quantizers as qkeras_quantizers
from pipeline.quantization.quantizers.quantizer import parse_quantizer

# quantized_ulaw and bernoulli are left out: QTools turns them into ternaries when
# they stand on the network's input.
_SUPPORTED = (
    "quantized_bits",
    "quantized_relu",
    "quantized_tanh",
    "quantized_sigmoid",
    "quantized_po2",
    "quantized_relu_po2",
    "binary",
    "ternary",
    "stochastic_binary",
    "stochastic_ternary",
)
# A trained network holds the same values, and QTools charges the same where it
# does not take one for the other.
_DETERMINISTIC = {
    "stochastic_binary": qkeras_quantizers.binary,
    "stochastic_ternary": qkeras_quantizers.ternary,
}
_TYPES = {getattr(qkeras_quantizers, name): name for name in _SUPPORTED}


def default_quantizer(mode: str) -> IQuantizer:
    """Return the type of a QTools name: fp32, fp16, int8, int16 or int32."""
    return QuantizerFactory().make_default_quantizer(mode=mode)


def make_quantizer(text: str, key: str) -> IQuantizer:
    """Translate a quantiser string into a QTools type.

    Parameters
    ----------
    text
        As `pipeline.quantization.quantizers.quantizer` reads it.
    key
        The tensor it stands at, for messages.

    Raises
    ------
    EnergyError
        If it is not a quantiser of `_SUPPORTED`, or QTools would take it for
        another one.
    """
    quantizer = _parse(text, key)
    name = _TYPES[type(quantizer)]
    if name == "quantized_sigmoid":
        return _sigmoid(quantizer)
    if name in _DETERMINISTIC:
        quantizer = _DETERMINISTIC[name](alpha=1)
    return QuantizerFactory().make_quantizer(quantizer)


@lru_cache(maxsize=4096)
def _parse(text: str, key: str) -> Any:
    try:
        quantizer = parse_quantizer(text, key).build()
    except PipelineError as error:
        raise EnergyError(str(error)) from None
    if type(quantizer) not in _TYPES:
        raise EnergyError(f"{key}: {text!r}: expected one of {', '.join(_SUPPORTED)}")
    problem = (
        _scale_problem(getattr(quantizer, "alpha", None))
        or _one_bit_problem(quantizer)
        or _po2_problem(quantizer)
    )
    if problem:
        raise EnergyError(f"{key}: {text!r}: {problem}")
    return quantizer


def _scale_problem(alpha: Any) -> str | None:
    """QTools ignores `alpha`: right only for a power of two, which is wiring."""
    if alpha is None or alpha == "auto_po2":
        return None
    if isinstance(alpha, str):
        return (
            f"alpha: {alpha!r} needs a multiplication that QTools does not count; "
            "expected a power of two or 'auto_po2'"
        )
    if isinstance(alpha, (int, float)) and alpha > 0 and math.log2(alpha).is_integer():
        return None
    return f"alpha: expected a power of two or 'auto_po2', found {alpha!r}"


def _one_bit_problem(quantizer: Any) -> str | None:
    """Find a one-bit ReLU, a gate, that QTools would charge as a multiplier."""
    if type(quantizer) is qkeras_quantizers.quantized_relu and (
        quantizer.bits == 1 and quantizer.integer != 1
    ):
        return "with one bit QTools knows integer=1 only"
    return None


def _po2_problem(quantizer: Any) -> str | None:
    """QTools always spends a bit on the exponent's sign, QKeras not below 1."""
    if not _TYPES[type(quantizer)].endswith("po2"):
        return None
    if quantizer.max_value is not None and quantizer.max_value <= 1:
        return (
            "max_value: expected none or more than 1; with one of at most 1 QKeras' exponents "
            "reach twice as far down as QTools counts"
        )
    if getattr(quantizer, "negative_slope", 0):
        return "negative_slope: QTools takes a leaky quantized_relu_po2 for an unsigned one"
    return None


def _sigmoid(quantizer: Any) -> IQuantizer:
    """Unsigned, no integer bits: QTools lacks it and would take the accumulator's type."""
    found = QuantizedBits()
    found.bits = quantizer.bits
    found.int_bits = 0
    found.is_signed = 0
    return found
