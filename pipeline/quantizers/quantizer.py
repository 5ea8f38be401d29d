"""Quantizer strings such as ``quantized_bits(6,1,0,alpha=1)``: checked, built, typed.

QKeras reads these strings with a small evaluator that falls back to Keras
activations and ignores what it does not understand. Here a string is parsed as
one call with literal arguments of a known class, so that a typing error is
found before anything is trained, and no string is ever executed.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.base.errors import PipelineError

Rounding = Literal["half_even", "half_up"]

# Far more than any quantizer needs; Python's parser gives up on absurd nesting only later.
_MAX_CHARACTERS = 200
_FLAGS = (
    "symmetric", "keep_negative", "use_stochastic_rounding", "use_sigmoid", "use_01",
    "quadratic_approximation", "use_real_tanh", "use_real_sigmoid",
)  # fmt: skip
_MAY_BE_NONE = ("alpha", "threshold", "max_value")
_ROUNDINGS = ("half_even", "half_up")
# QKeras takes numbers below Keras' epsilon, 1e-7, for 0: this is the first power of two above.
SMALLEST_EXPONENT = -23

# Argument names of the QKeras 0.9 classes, in their order.
_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "quantized_bits": (
        "bits", "integer", "symmetric", "keep_negative", "alpha", "use_stochastic_rounding",
    ),
    "quantized_relu": (
        "bits", "integer", "use_sigmoid", "negative_slope", "use_stochastic_rounding",
    ),
    "quantized_po2": ("bits", "max_value", "use_stochastic_rounding", "quadratic_approximation"),
    "quantized_relu_po2": ("bits", "max_value", "negative_slope", "use_stochastic_rounding"),
    "quantized_tanh": ("bits", "use_stochastic_rounding", "symmetric", "use_real_tanh"),
    "quantized_sigmoid": ("bits", "symmetric", "use_real_sigmoid", "use_stochastic_rounding"),
    "binary": ("use_01", "alpha", "use_stochastic_rounding"),
    "ternary": ("alpha", "threshold", "use_stochastic_rounding"),
    "stochastic_binary": ("alpha", "temperature", "use_real_sigmoid"),
    "stochastic_ternary": ("alpha", "threshold", "temperature", "use_real_sigmoid"),
}  # fmt: skip
# Classes with an argument that QKeras lacks: where a number half way between two values goes. It
# has no place in QKeras' order, so it is written with its name.
_ROUNDING = "rounding"
_ROUNDED = ("quantized_bits", "quantized_relu")


class QuantizerError(PipelineError):
    """A quantizer string is not known, or cannot be used where it stands."""


@dataclass(frozen=True)
class Quantizer:
    """A parsed quantizer string.

    Attributes
    ----------
    text
        The string as written, e.g. ``quantized_bits(6,1,0,alpha=1)``.
    name
        The QKeras class.
    arguments
        Its arguments by name; what is left out takes QKeras' default. A `max_value` of 0 is
        left out: see `_bind`. ``rounding`` is this project's own.
    """

    text: str
    name: str
    arguments: dict[str, Any]

    @property
    def bits(self) -> int:
        """Bits of one value: 1 for binary, 2 for ternary classes, else the argument."""
        if "binary" in self.name:
            return 1
        if "ternary" in self.name:
            return 2
        return int(self.arguments.get("bits", 8))

    @property
    def exponent_reach(self) -> int:
        """Of powers of two: QKeras' exponents are -reach to reach - 1, or to 0 for a limit of 1."""
        largest = self.arguments.get("max_value")
        signs = (self.name == "quantized_po2") + (largest is None or largest > 1)
        return int(2 ** (self.bits - signs))

    @property
    def half_up(self) -> bool:
        """Whether a number half way between two values goes up, not to the even one."""
        return bool(self.arguments.get(_ROUNDING) == "half_up")

    @property
    def names_rounding(self) -> bool:
        """Whether the string says how it rounds; it need not, for QKeras' half to even."""
        return _ROUNDING in self.arguments

    def rounded(self, rounding: Rounding, named: bool = False) -> Quantizer:
        """Return the quantizer with a rounding, unless it names one or has no half way.

        ``half_even``, which is QKeras' own, is written only if it is to be `named`.
        """
        own = rounding == "half_even" and not named
        if own or self.names_rounding or self.name not in _ROUNDED:
            return self
        call = _call(self.text)
        assert isinstance(call, ast.Call)
        call.keywords.append(ast.keyword(_ROUNDING, ast.Constant(rounding)))
        text = ast.unparse(call).replace(" ", "")
        return Quantizer(text, self.name, {**self.arguments, _ROUNDING: rounding})

    def build(self) -> Any:
        """Return a new QKeras quantizer object; imports QKeras."""
        from pipeline.quantizers import (
            qkeras_compat,  # imports TensorFlow: not at the top
        )

        arguments = {name: value for name, value in self.arguments.items() if name != _ROUNDING}
        return qkeras_compat.quantizer_class(self.name, self.half_up)(**arguments)


def parse_quantizer(text: str, key: str) -> Quantizer:
    """Parse and check a quantizer string.

    Parameters
    ----------
    text
        The string.
    key
        The dotted parameter that it came from, for messages.

    Raises
    ------
    QuantizerError
        If the string is no call of a known class with known literal arguments,
        or asks for something that QKeras 0.9 computes wrongly.
    """
    if len(text) > _MAX_CHARACTERS:
        raise QuantizerError(f"{key}: a quantizer of {len(text)} characters: {text[:40]!r}...")
    call = _call(text)
    if call is None:
        raise QuantizerError(
            f"{key}: expected a quantizer such as quantized_bits(6,1,0,alpha=1), found {text!r}"
        )
    assert isinstance(call.func, ast.Name)
    name = call.func.id
    if name not in _ARGUMENTS:
        known = ", ".join(sorted(_ARGUMENTS))
        raise QuantizerError(f"{key}: unknown quantizer {name!r} in {text!r}; known: {known}")
    quantizer = Quantizer(text, name, _bind(call, name, text, key))
    _check_values(quantizer, key)
    return quantizer


def _call(text: str) -> ast.Call | None:
    """Return a string as a call of a name; None if it is nothing like it."""
    try:
        call = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if isinstance(call, ast.Name):
        call = ast.Call(func=call, args=[], keywords=[])
    return call if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None


def _bind(call: ast.Call, name: str, text: str, key: str) -> dict[str, Any]:
    """Return the arguments by name.

    A `max_value` of 0 is no limit: QKeras' `max()` and `min()` and QTools read it so, and
    AutoQKeras' configurations write it. QKeras' own forward pass would clip at 0 and take the
    logarithm: NaN for every number above 1e-7. It is left out of the arguments, so that the
    forward pass sees none.
    """
    names = _ARGUMENTS[name]
    if len(call.args) > len(names):
        raise QuantizerError(f"{key}: {text!r} has more than {len(names)} arguments")
    pairs = [*zip(names, call.args, strict=False), *((k.arg, k.value) for k in call.keywords)]
    known = (*names, _ROUNDING) if name in _ROUNDED else names
    arguments: dict[str, Any] = {}
    for argument, node in pairs:
        if argument not in known or argument in arguments:
            raise QuantizerError(
                f"{key}: unknown or repeated argument {argument!r} in {text!r}; "
                f"known: {', '.join(known)}"
            )
        try:
            arguments[argument] = ast.literal_eval(node)
        except (ValueError, TypeError):
            raise QuantizerError(
                f"{key}: {argument} of {text!r} must be a plain number or string"
            ) from None
    largest = arguments.get("max_value")
    if largest == 0 and type(largest) in (int, float):
        del arguments["max_value"]
    return arguments


def _check_values(quantizer: Quantizer, key: str) -> None:
    bits = quantizer.arguments.get("bits", 8)
    integer = quantizer.arguments.get("integer", 0)
    lowest = 2 if quantizer.arguments.get("keep_negative", True) else 1
    if quantizer.name == "quantized_relu":
        lowest = 1
    if type(bits) is not int or not lowest <= bits <= 32:
        raise QuantizerError(
            f"{key}: bits of {quantizer.text!r} must be an integer in {lowest}..32, found {bits!r}"
        )
    if type(integer) is not int or not 0 <= integer <= bits:
        # QKeras raises an integer 2 to this power: a negative one fails deep inside.
        raise QuantizerError(
            f"{key}: integer of {quantizer.text!r} must be an integer in 0..bits, found {integer!r}"
        )
    for name, value in quantizer.arguments.items():
        expected = _expected(name, value)
        if expected:
            raise QuantizerError(
                f"{key}: {name} of {quantizer.text!r} must be {expected}, found {value!r}"
            )
    if quantizer.name.endswith("po2"):
        _check_powers(quantizer, key)


def _check_powers(quantizer: Quantizer, key: str) -> None:
    """Refuse a limit that leaves one power of two: QKeras would round everything to it."""
    largest = quantizer.arguments.get("max_value")
    if largest is None:
        return
    lowest = max(-quantizer.exponent_reach, SMALLEST_EXPONENT)
    if quantizer.arguments.get("quadratic_approximation"):
        lowest += lowest % 2
    if math.log2(largest) < lowest + 1:
        raise QuantizerError(
            f"{key}: max_value of {quantizer.text!r} must be 0 (no limit) or at least "
            f"2**{lowest + 1}, found {largest!r}: QKeras would round every number to one size"
        )


def _expected(name: str, value: Any) -> str:
    """Return what an argument must be, or nothing if it is that; QKeras only asserts, or not."""
    if name in ("bits", "integer") or (value is None and name in _MAY_BE_NONE):
        return ""
    if name in _FLAGS:
        return "" if value in (0, 1) else "0 or 1"
    if name == _ROUNDING:
        return "" if value in _ROUNDINGS else "'half_even' or 'half_up'"
    if name == "alpha" and value in ("auto", "auto_po2"):
        return ""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if name == "negative_slope":
        fits = number and (value == 0 or (value > 0 and math.frexp(value)[0] == 0.5))
        return "" if fits else "0 or a power of two"
    if number and 0 < value < math.inf:
        return ""
    if name == "max_value":
        return "0 or None (no limit), or a number above 0"
    return "a number above 0" + (", 'auto' or 'auto_po2'" if name == "alpha" else "")
