"""How each lane of a stack quantizes: numbers that the core reads, no constants in its code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import IntEnum

import numpy as np

from pipeline.base.arrays import F32
from pipeline.networks.stack.arrays import aligned


class WeightKind(IntEnum):
    """Quantizers of weights, numbered as in the core."""

    FLOAT = 0
    FIXED = 1
    AUTO_PO2 = 2
    BINARY_AUTO_PO2 = 3


@dataclass(frozen=True)
class WeightFormat:
    """How the weights of one tensor are quantized.

    Attributes
    ----------
    kind
        Class of quantizer.
    step
        FIXED: value of one unit in the last place.
    low, high
        FIXED: smallest and largest multiple of it. AUTO_PO2: `high` is the largest multiple
        of the scale, in both directions.
    unit
        QKeras' ``2**integer``.
    """

    kind: WeightKind = WeightKind.FLOAT
    step: float = 1.0
    low: float = 0.0
    high: float = 1.0
    unit: float = 1.0


@dataclass(frozen=True)
class ValueFormat:
    """How a value between layers is quantized; the default is a ReLU that rounds nothing.

    Attributes
    ----------
    quantized
        Whether the bounded value is rounded to multiples of `step`.
    step
        A power of two.
    low, high
        Bounds of the value.
    slope_above, slope_up_to
        The gradient is 1 above the first and up to the second, otherwise 0.
    half_up
        Whether a number half way between two multiples goes up, not to the even one.
    """

    quantized: bool = False
    step: float = 1.0
    low: float = 0.0
    high: float = math.inf
    slope_above: float = 0.0
    slope_up_to: float = math.inf
    half_up: bool = False


IDENTITY = ValueFormat(low=-math.inf, slope_above=-math.inf)


@dataclass(frozen=True)
class NetworkFormats:
    """The quantizers of one network; the default is the float network."""

    kernel: WeightFormat = WeightFormat()
    recurrent_kernel: WeightFormat = WeightFormat()
    bias: WeightFormat = WeightFormat()
    dense_kernel: WeightFormat = WeightFormat()
    dense_bias: WeightFormat = WeightFormat()
    activation: ValueFormat = ValueFormat()
    state: ValueFormat = IDENTITY
    output: ValueFormat = ValueFormat()

    def numbers(self) -> list[float]:
        """Return the fields of the core's ``struct Formats``, for one lane."""
        weights = (
            self.kernel, self.recurrent_kernel, self.bias, self.dense_kernel, self.dense_bias,
        )  # fmt: skip
        values: list[float] = []
        for weight in weights:
            values += astuple(weight)
        for value in (self.activation, self.state, self.output):
            quantized, step, *bounds, half_up = astuple(value)
            values += [quantized, step, 1 / step, *bounds, 0.5 if half_up else math.inf]
        return [float(number) for number in values]


def of_lanes(formats: Sequence[NetworkFormats]) -> F32:
    """Return ``struct Formats`` of the core, float32 (fields, lanes)."""
    numbers = np.array([network.numbers() for network in formats], np.float32).T
    table = aligned(numbers.shape, np.float32)
    table[:] = numbers
    return table
