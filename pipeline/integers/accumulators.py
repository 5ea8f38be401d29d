"""How wide every sum of a network gets: interval analysis on types and weight integers.

The input spans its type. Intervals then travel through the network unit by unit,
in Python integers, which do not overflow. The bound holds for any order of
summation: with terms ``t_i`` in ``[l_i, u_i]`` every partial sum lies in
``[sum(min(l_i, 0)), sum(max(u_i, 0))]``. Units are taken as independent, so the
interval is a proof, not always a value that is reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base.errors import PipelineError
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.fixed_point import bits_for, power_threshold
from pipeline.integers.layers import (
    DenseLayer,
    GatedLayer,
    IntegerTensor,
    RecurrentLayer,
    SimpleRnnLayer,
)

Objects = NDArray[Any]

FLOAT32_MANTISSA_BITS = 24
INT64_BITS = 64


class AccumulatorError(PipelineError):
    """A sum that the golden model's int64 could not hold."""


@dataclass(frozen=True)
class Accumulator:
    """The sum of one layer (one step of a recurrent layer).

    Attributes
    ----------
    name
        ``<layer>`` or ``<layer>.step<t>``.
    bits
        Width of the signed type that holds every partial sum of every unit, in
        any order, without the trailing bits that are 0 in all terms.
    fraction_bits
        Binary point of that type.
    minimum, maximum
        Bounds of the partial sums, as integers of that type.
    float32_exact
        Whether float32, with 24 bits of mantissa, represents every one of these
        partial sums, so that floating-point evaluation in any order is exact.
    """

    name: str
    bits: int
    fraction_bits: int
    minimum: int
    maximum: int
    float32_exact: bool


@dataclass(frozen=True)
class Interval:
    """Bounds per unit, Python integers in object arrays (units,), one binary point."""

    low: Objects
    high: Objects
    fraction_bits: int

    def same_as(self, other: Interval) -> bool:
        """Whether both bound the same values."""
        return bool(np.all(self.low == other.low) and np.all(self.high == other.high))


@dataclass(frozen=True)
class _Terms:
    """Bounds of the terms of a sum, (terms, units), and a weight integer behind each."""

    low: Objects
    high: Objects
    factor: Objects
    fraction_bits: int

    def aligned(self, fraction_bits: int) -> _Terms:
        scale = 1 << (fraction_bits - self.fraction_bits)
        return _Terms(self.low * scale, self.high * scale, self.factor * scale, fraction_bits)


def prove_sums(
    sample: FixedPointType,
    window_length: int,
    recurrent: RecurrentLayer,
    dense: Sequence[DenseLayer],
) -> tuple[Accumulator, ...]:
    """Prove the width of every sum of a network, in the order of evaluation.

    A network computes this once: `pipeline.integers.network.IntegerNetwork.accumulators`.

    Parameters
    ----------
    sample
        Type of the samples.
    window_length
        Steps of the recurrent layer.
    recurrent
        A SimpleRNN has one accumulator a step. An LSTM or a GRU has one in all, which holds
        the kernel's sum of any gate, the recurrent one, and both together; its state may
        span its type.
    dense
        The layers after it.

    Raises
    ------
    AccumulatorError
        If a sum, aligned to its finest term, may leave int64.
    """
    window = _full_range(sample, 1)
    if isinstance(recurrent, GatedLayer):
        steps, hidden = _gated_sums(window, recurrent)
    else:
        steps, hidden = _rnn_sums(window, window_length, recurrent)
    return (*steps, *_dense_sums(hidden, dense))


def _rnn_sums(
    window: Interval, window_length: int, rnn: SimpleRnnLayer
) -> tuple[list[Accumulator], Interval]:
    """Accumulators of the steps, and the interval of the last step's hidden values."""
    steps: list[Accumulator] = []
    start = np.full(rnn.units, rnn.state.rounded_zero, dtype=object)
    state = Interval(start, start, rnn.state.fraction_bits) if start.any() else None
    hidden = window
    for step in range(window_length):
        terms = [_products(window, rnn.kernel), _constant(rnn.bias)]
        if state is not None:
            terms.append(_products(state, rnn.recurrent_kernel))
        accumulator, total = _sum(f"{rnn.name}.step{step}", terms)
        steps.append(accumulator)
        hidden = _cut(_requantized(total, rnn.activation), rnn.largest.astype(object))
        following = _requantized(hidden, rnn.state)
        if state is not None and following.same_as(state):
            steps += _repeated(accumulator, rnn.name, range(step + 1, window_length))
            break
        state = following
    return steps, hidden


def _gated_sums(window: Interval, rnn: GatedLayer) -> tuple[list[Accumulator], Interval]:
    """As `_rnn_sums`, of an LSTM or a GRU."""
    state = _full_range(rnn.state, rnn.units)
    terms = [
        _products(window, rnn.kernel),
        _products(state, rnn.recurrent_kernel),
        _constant(rnn.bias),
    ]
    return [_sum(rnn.name, terms)[0]], state


def _dense_sums(hidden: Interval, layers: Sequence[DenseLayer]) -> list[Accumulator]:
    sums = []
    for layer in layers:
        terms = [_products(hidden, layer.kernel), _constant(layer.bias)]
        accumulator, total = _sum(layer.name, terms)
        sums.append(accumulator)
        hidden = _requantized(total, layer.activation)
    return sums


def widest_by_layer(accumulators: Sequence[Accumulator]) -> dict[str, int]:
    """Bits of the widest accumulator of each layer, by layer name."""
    widths: dict[str, int] = {}
    for accumulator in accumulators:
        layer = accumulator.name.rsplit(".step", 1)[0]
        widths[layer] = max(widths.get(layer, 0), accumulator.bits)
    return widths


def _full_range(of: FixedPointType, units: int) -> Interval:
    low = np.full(units, of.minimum, dtype=object)
    return Interval(low, np.full(units, of.maximum, dtype=object), of.fraction_bits)


def _products(values: Interval, kernel: IntegerTensor) -> _Terms:
    weights = kernel.array.astype(object)
    ends = weights * values.low[:, None], weights * values.high[:, None]
    fraction_bits = values.fraction_bits + kernel.type.fraction_bits
    return _Terms(np.minimum(*ends), np.maximum(*ends), weights, fraction_bits)


def _constant(bias: IntegerTensor) -> _Terms:
    values = np.atleast_2d(bias.array.astype(object))  # a GRU's has two rows
    return _Terms(values, values, values, bias.type.fraction_bits)


def _sum(name: str, parts: list[_Terms]) -> tuple[Accumulator, Interval]:
    """Accumulator and final interval of the sum of all terms of all parts."""
    finest = max(part.fraction_bits for part in parts)
    aligned = [part.aligned(finest) for part in parts]
    low, high, factor = (
        np.concatenate([getattr(part, key) for part in aligned])
        for key in ("low", "high", "factor")
    )
    partial_low = np.minimum(low, 0).sum(axis=0)
    partial_high = np.maximum(high, 0).sum(axis=0)
    smallest, largest = int(partial_low.min()), int(partial_high.max())
    if (width := bits_for(smallest, largest)) > INT64_BITS:
        raise AccumulatorError(
            f"{name}: the sum may need {width} bits at {finest} fraction bits, "
            f"the golden model has {INT64_BITS}: use types with fewer bits"
        )
    zeros = [_common_trailing_zeros(column) for column in factor.T]
    spans = np.maximum(-partial_low, partial_high)
    exact = all(
        int(span) >> zero <= 1 << FLOAT32_MANTISSA_BITS
        for span, zero in zip(spans, zeros, strict=True)
    )
    drop = min(zeros)
    return (
        Accumulator(
            name=name,
            bits=bits_for(smallest >> drop, largest >> drop),
            fraction_bits=finest - drop,
            minimum=smallest >> drop,
            maximum=largest >> drop,
            float32_exact=exact,
        ),
        Interval(low.sum(axis=0), high.sum(axis=0), finest),
    )


def _common_trailing_zeros(factors: Objects) -> int:
    """Bits that are 0 at the end of every factor, hence of every product; 0 if all are 0."""
    combined = int(np.bitwise_or.reduce(factors))
    return (combined & -combined).bit_length() - 1 if combined else 0


def _requantized(values: Interval, to: FixedPointType) -> Interval:
    """Image of an interval: rounding is monotone, wrapping may reach the whole type."""
    low, high = (
        np.array([_rounded(int(end), values.fraction_bits, to) for end in ends], dtype=object)
        for ends in (values.low, values.high)
    )
    if to.overflow == "WRAP":
        whole = _full_range(to, len(low))
        wraps = (low < to.minimum) | (high > to.maximum)
        low, high = np.where(wraps, whole.low, low), np.where(wraps, whole.high, high)
    return Interval(
        np.clip(low, to.minimum, to.maximum),
        np.clip(high, to.minimum, to.maximum),
        to.fraction_bits,
    )


def _cut(values: Interval, largest: Objects) -> Interval:
    """Image of an interval under saturation at the largest value of each unit."""
    low, high = np.minimum(values.low, largest), np.minimum(values.high, largest)
    return Interval(low, high, values.fraction_bits)


def _rounded(integer: int, fraction_bits_in: int, to: FixedPointType) -> int:
    """One Python integer rounded to the binary point of `to`, without overflow handling."""
    shift = fraction_bits_in - to.fraction_bits
    if to.powers_of_two:
        return _power_of_two(integer, shift, to)
    if shift <= 0:
        return integer << -shift
    quotient = integer >> shift
    remainder, half = integer - (quotient << shift), 1 << (shift - 1)
    if to.rounding == "TRN":
        return quotient
    ties_up = to.rounding == "RND" or quotient % 2 == 1
    return quotient + int(remainder > half or (remainder == half and ties_up))


def _power_of_two(integer: int, shift: int, to: FixedPointType) -> int:
    """As `_rounded`, ``integer * 2**-shift`` in a type of powers of two, which saturates."""
    magnitude = abs(integer)
    if integer == 0 or (integer < 0 and not to.signed):
        return 1
    power = magnitude.bit_length() - 1
    power += magnitude >= power_threshold(2 * power + 1)
    size = 1 << min(max(power - shift, 0), to.highest_power)
    return -size if integer < 0 else size


def _repeated(last: Accumulator, layer: str, steps: range) -> list[Accumulator]:
    """Repeat the accumulator for further steps: the interval of the state has settled."""
    return [replace(last, name=f"{layer}.step{step}") for step in steps]
