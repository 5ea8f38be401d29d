"""Types of the values that hold quantizers or name trials; every string is read here already.

A union of types would be refused once for each branch, so one function checks each value. It
says everything that is wrong with it, a line each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from pipeline.quantizers.quantizer import QuantizerError, parse_quantizer

_MAX_LIMIT = 64  # bits; no quantizer has more than 32


def _problem(text: str) -> str | None:
    """Return what is wrong with the string of a quantizer, without a key in front."""
    try:
        parse_quantizer(text, "")
    except QuantizerError as error:
        return str(error).removeprefix(": ")
    return None


def _check_quantizers(texts: Iterable[str]) -> None:
    problems = [problem for problem in map(_problem, texts) if problem is not None]
    if problems:
        raise ValueError("\n".join(problems))


def _one_quantizer(text: str) -> str:
    _check_quantizers([text])
    return text


def _one_config(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        if len(set(value)) < len(value):
            raise ValueError("must not repeat a quantizer")
    elif not (
        isinstance(value, dict)
        and all(isinstance(text, str) and type(bits) is int for text, bits in value.items())
    ):
        raise ValueError("should be a list of quantizers, or quantizers with their bits")
    _check_quantizers(value)
    return value


def _one_limit(value: Any) -> Any:
    entries = value if isinstance(value, list) else [value]
    texts = [text for entry in entries if isinstance(entry, list) for text in entry]
    bits = [entry for entry in entries if not isinstance(entry, list)]
    if not (all(type(n) is int for n in bits) and all(isinstance(text, str) for text in texts)):
        raise ValueError(
            "should be a number of bits, or a list with a number of bits or a list of "
            "quantizers for each kind of tensor"
        )
    for n in bits:
        if not 1 <= n <= _MAX_LIMIT:
            raise ValueError(f"should hold numbers of bits in 1..{_MAX_LIMIT}, found {n}")
    _check_quantizers(texts)
    return value


def _one_trial(value: Any) -> Any:
    if type(value) is int or (isinstance(value, str) and value):
        return value
    raise ValueError("should be best or the name of a trial")


QuantizerText = Annotated[str, AfterValidator(_one_quantizer)]
Quantizers = Annotated[list[str] | dict[str, int], BeforeValidator(_one_config)]
Limit = Annotated[int | list[int | list[str]], BeforeValidator(_one_limit)]
TrialName = Annotated[str | int, Field(union_mode="left_to_right"), BeforeValidator(_one_trial)]
