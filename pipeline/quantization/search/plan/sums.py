"""The widest sum that a network of the search space may have, before any weight is known.

Later stages have limits on the width of a sum: int64 of the golden model, da4ml's float64,
hls4ml's types. Here every weight is taken to be as large as its quantizer allows, so that what
passes will not be refused there. Two things follow from training alone: a scale of 'auto_po2',
taken as 1, and powers of two above 1 where no ``max_value`` bounds them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from pipeline.base.architecture import INPUT, Architecture
from pipeline.base.errors import PipelineError, Problems
from pipeline.base.fixed_point_type import MAX_BITS, MAX_FRACTION_BITS
from pipeline.quantizers.hardware import ACTIVATIONS, stored_type
from pipeline.quantizers.quantizer import SMALLEST_EXPONENT, Quantizer

RTL_BITS = sys.float_info.mant_dig - 2  # da4ml counts in float64; see `adder_graph`


@dataclass(frozen=True)
class _Span:
    """How fine and how large the values of a quantizer get, and its string."""

    fraction_bits: int
    largest: Fraction
    text: str

    def within(self, other: _Span) -> bool:
        """Whether a sum with the other one instead is at least as wide."""
        return self.fraction_bits <= other.fraction_bits and self.largest <= other.largest


@dataclass(frozen=True)
class _Sum:
    """A sum of products.

    Attributes
    ----------
    name
        Of the layer.
    terms
        Pairs of tensors with the number of their products; None: constants.
    gates
        Tensors of an LSTM or a GRU whose products lie in the type of the sum, too.
    """

    name: str
    terms: tuple[tuple[str, str | None, int], ...]
    gates: tuple[str, ...] = ()

    @property
    def tensors(self) -> list[str]:
        """Tensors on which the width depends, none twice."""
        named = [tensor for left, right, _ in self.terms for tensor in (left, right) if tensor]
        return list(dict.fromkeys([*named, *self.gates]))


def check_sums(
    architecture: Architecture, units: int, quantizers: Mapping[str, Iterable[Quantizer]]
) -> None:
    """Check that no sum of any network gets too wide for the stages behind the search.

    Parameters
    ----------
    architecture
        Of the float network.
    units
        Of the widest network that the search may train.
    quantizers
        What can be chosen, by tensor. A sum of a tensor that is not there is left out.

    Raises
    ------
    PipelineError
        With a line for each sum or weight, naming the quantizers.
    """
    problems = Problems()
    spans = {}
    for tensor, choices in quantizers.items():
        with problems.collected():
            spans[tensor] = _widest(_span(architecture, tensor, choice) for choice in choices)
    for total in _sums(architecture, units):
        if all(tensor in spans for tensor in total.tensors):
            with problems.collected():
                _check_sum(architecture, total, {tensor: spans[tensor] for tensor in total.tensors})
    problems.raise_as(PipelineError)


def _sums(architecture: Architecture, units: int) -> list[_Sum]:
    read = "rnn/state" if architecture.gated else "rnn/activation"
    biases = 2 if architecture.cell == "GRU" else 1
    return [
        _Sum(
            "rnn",
            (
                (INPUT, "rnn/kernel", 1),
                ("rnn/state", "rnn/recurrent_kernel", units),
                ("rnn/bias", None, biases),
            ),
            ("rnn/activation", "rnn/recurrent_activation") if architecture.gated else (),
        ),
        _Sum("dense", ((read, "dense/kernel", units), ("dense/bias", None, 1))),
    ]


def _check_sum(
    architecture: Architecture, total: _Sum, spans: Mapping[str, Iterable[_Span]]
) -> None:
    limit, of_what = (MAX_BITS, "HLS") if architecture.gated else (RTL_BITS, "RTL")
    for chosen in product(*spans.values()):
        by_tensor = dict(zip(spans, chosen, strict=True))
        bits = _width(total, by_tensor, architecture.cell == "GRU")
        if bits > limit:
            named = ", ".join(f"{tensor} {span.text}" for tensor, span in by_tensor.items())
            raise PipelineError(
                f"search.quantization_config: {total.name}: a sum may need {bits} bits, {of_what} "
                f"has at most {limit}: use fewer bits for {named}"
            )


def _width(total: _Sum, span: Mapping[str, _Span], reset_after: bool) -> int:
    """Return the bits of a signed sum whose terms all have their largest value."""
    fraction_bits, largest = 0, Fraction(0)
    for left, right, count in total.terms:
        fine = span[left].fraction_bits + (span[right].fraction_bits if right else 0)
        fraction_bits = max(fraction_bits, fine)
        largest += count * span[left].largest * (span[right].largest if right else 1)
    if not total.gates:
        return _integer_bits(largest * 2**fraction_bits)
    # As hls4ml stores them: the sums times a gate (GRU), gates and c times a gate (LSTM).
    table = max(span[gate].fraction_bits for gate in total.gates)
    state = span["rnn/state"]
    products = fraction_bits if reset_after else max(table, state.fraction_bits)
    whole = max(_integer_bits(largest), 2, _integer_bits(state.largest)) + 1
    return whole + max(fraction_bits, products + table)


def _integer_bits(largest: Fraction) -> int:
    """Return the bits of a signed type that holds the whole part of a number."""
    return math.ceil(largest).bit_length() + 1


def _widest(spans: Iterable[_Span]) -> list[_Span]:
    """Return the spans of which none lies within another."""
    kept: list[_Span] = []
    for span in spans:
        if not any(span.within(other) for other in kept):
            kept = [other for other in kept if not other.within(span)] + [span]
    return kept


def _span(architecture: Architecture, tensor: str, quantizer: Quantizer) -> _Span:
    if tensor == INPUT or tensor.endswith(ACTIVATIONS):
        stored = stored_type(architecture, tensor, quantizer, tensor)
        largest = Fraction(max(-stored.minimum, stored.maximum)) / Fraction(2) ** (
            stored.fraction_bits
        )
        return _Span(stored.fraction_bits, largest, quantizer.text)
    fraction_bits, largest = _weights(quantizer)
    if fraction_bits > MAX_FRACTION_BITS:
        raise PipelineError(
            f"{tensor}: {quantizer.text}: expected weights of at most {MAX_FRACTION_BITS} bits "
            f"behind the binary point, found {fraction_bits}"
        )
    return _Span(fraction_bits, largest, quantizer.text)


def _weights(quantizer: Quantizer) -> tuple[int, Fraction]:
    """Return fraction bits and largest value of weights."""
    arguments, bits = quantizer.arguments, quantizer.bits
    if quantizer.name.endswith("po2"):
        return _powers_of_two(quantizer)
    alpha = arguments.get("alpha")
    scale = Fraction(alpha) if isinstance(alpha, int | float) else Fraction(1)
    shift = scale.denominator.bit_length() - scale.numerator.bit_length()
    if "binary" in quantizer.name or "ternary" in quantizer.name:
        return shift, scale
    if quantizer.name == "quantized_relu":
        signed = bool(arguments.get("negative_slope"))
    elif quantizer.name == "quantized_sigmoid":
        signed = False
    else:
        signed = bool(arguments.get("keep_negative", True))
    integer = int(arguments.get("integer", 0))
    return bits - signed - integer + shift, scale * 2**integer


def _powers_of_two(quantizer: Quantizer) -> tuple[int, Fraction]:
    """As `_weights`, with the exponents that QKeras gives to the bits."""
    largest = quantizer.arguments.get("max_value")
    reach = quantizer.exponent_reach
    highest = 0 if not largest else min(math.ceil(math.log2(largest)), reach - 1)
    return min(reach, -SMALLEST_EXPONENT), Fraction(2) ** highest
