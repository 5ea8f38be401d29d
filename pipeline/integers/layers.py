"""Layers of a quantized network: weights as integers, and the type of every tensor that flows.

All arithmetic between two types is exact: a layer forms the full-precision sum and rounds
once, into its activation's type. An unsigned activation type with saturation is therefore a
quantized ReLU; a signed one is a quantized linear activation.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pipeline.base.arrays import I64
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.base.schema import Frozen

GATES = {"lstm": 4, "gru": 3}


class IntegerTensor(Frozen):
    """A constant tensor: nested lists of integers and their type.

    ``quantizer`` is the QKeras quantizer that rounded it, for reports only; the
    type is the smallest one that holds the values, or the quantizer's.
    """

    type: FixedPointType
    integers: list[Any]
    quantizer: str

    @cached_property
    def array(self) -> I64:
        """The integers as an int64 array, read-only."""
        array = np.asarray(self.integers, dtype=np.int64)
        array.setflags(write=False)
        return array

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        try:
            values = np.asarray(self.integers)
        except ValueError as error:
            raise ValueError("integers must form a rectangular array") from error
        if values.dtype.kind != "i" or values.size == 0:
            raise ValueError("integers must be a non-empty rectangular array of integers")
        if values.min() < self.type.minimum or values.max() > self.type.maximum:
            raise ValueError(
                f"integers in {values.min()}..{values.max()} do not fit "
                f"{self.type.bits} {'signed' if self.type.signed else 'unsigned'} bits"
            )
        return self


class SimpleRnnLayer(Frozen):
    """``h_t = activation(x_t @ kernel + state(h_{t-1}) @ recurrent_kernel + bias)``.

    Shapes: kernel (features, units), recurrent_kernel (units, units), bias
    (units,). The state is the activation, rounded once more into ``state`` before it
    meets the recurrent kernel; it starts as 0, rounded likewise. The layer returns h of
    the last step, in the activation's type.

    With ``unit_bits``, hidden values of a unit have so many bits at most: they saturate at
    the largest integer of that many. The state is the activation then.
    """

    kind: Literal["simple_rnn"] = "simple_rnn"
    name: str
    kernel: IntegerTensor
    recurrent_kernel: IntegerTensor
    bias: IntegerTensor
    state: FixedPointType
    activation: FixedPointType
    unit_bits: list[int] | None = Field(default=None, exclude_if=lambda bits: bits is None)

    @property
    def units(self) -> int:
        """Hidden units."""
        return int(self.recurrent_kernel.array.shape[0])

    @property
    def unit_types(self) -> list[FixedPointType]:
        """Type of each unit's hidden value."""
        of = self.activation
        if self.unit_bits is None:
            return [of] * self.units
        return [of.model_copy(update={"bits": bits}) for bits in self.unit_bits]

    @property
    def largest(self) -> I64:
        """Largest integer of each unit's hidden value, int64 (units,)."""
        return np.array([of.maximum for of in self.unit_types], dtype=np.int64)

    def first_constants(self) -> list[tuple[I64, int]]:
        """Return what the first step adds to its products: integers (units,), binary point.

        The bias; and the products of the state that 0 is rounded to, where that is not 0.
        """
        constants = [(self.bias.array, self.bias.type.fraction_bits)]
        if start := self.state.rounded_zero:
            kernel = self.recurrent_kernel
            point = self.state.fraction_bits + kernel.type.fraction_bits
            constants.append((start * kernel.array.sum(axis=0), point))
        return constants

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        units = _columns(self.kernel, self.bias)
        if self.recurrent_kernel.array.shape != (units, units):
            raise ValueError(f"recurrent_kernel must have shape {(units, units)}")
        if self.unit_bits is not None:
            self._check_unit_bits(self.unit_bits)
        return self

    def _check_unit_bits(self, bits: list[int]) -> None:
        of = self.activation
        if of.signed or of.overflow != "SAT" or of.powers_of_two or self.state != of:
            raise ValueError(
                "unit_bits need an unsigned activation that saturates, and a state that is the same"
            )
        if len(bits) != self.units or min(bits) < 1 or max(bits) > of.bits:
            raise ValueError(
                f"unit_bits must be {self.units} numbers of bits up to the {of.bits} of the type"
            )


class GatedLayer(Frozen):
    """An LSTM or a GRU over one-feature steps.

    With gates side by side in the order of Keras (LSTM: i, f, c, o; GRU: z, r, h):

    - LSTM: ``c_t = f c_{t-1} + i tanh(..)``, ``h_t = o tanh(c_t)``;
    - GRU, reset after the product:
      ``h_t = z h_{t-1} + (1 - z) tanh(x W + b_0 + r (h U + b_1))``.

    ``sigmoid`` and ``tanh`` round into their own types, h and c into ``state``, which the
    next step and the layer behind read. Both start at 0. Sigmoid and tanh have no exact
    arithmetic, only tables.

    Shapes, with g gates: kernel (features, g units), recurrent_kernel (units, g units), bias
    (g units,) for an LSTM and (2, g units) for a GRU, of the kernel's and the recurrent sum.
    """

    kind: Literal["lstm", "gru"]
    name: str
    kernel: IntegerTensor
    recurrent_kernel: IntegerTensor
    bias: IntegerTensor
    state: FixedPointType
    tanh: FixedPointType
    sigmoid: FixedPointType

    @property
    def units(self) -> int:
        """Hidden units."""
        return int(self.recurrent_kernel.array.shape[0])

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        if self.kernel.array.ndim != 2 or self.recurrent_kernel.array.ndim != 2:
            raise ValueError("kernel and recurrent_kernel must have two axes")
        width = GATES[self.kind] * self.units
        expected = {
            "kernel": (self.kernel.array.shape[0], width),
            "recurrent_kernel": (self.units, width),
            "bias": (2, width) if self.kind == "gru" else (width,),
        }
        for tensor, shape in expected.items():
            found = getattr(self, tensor).array.shape
            if found != shape:
                raise ValueError(f"{tensor} must have shape {shape}, found {found}")
        return self


class DenseLayer(Frozen):
    """``y = activation(x @ kernel + bias)``; kernel (features, units), bias (units,)."""

    kind: Literal["dense"] = "dense"
    name: str
    kernel: IntegerTensor
    bias: IntegerTensor
    activation: FixedPointType

    @property
    def units(self) -> int:
        """Outputs."""
        return int(self.kernel.array.shape[1])

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        _columns(self.kernel, self.bias)
        return self


RecurrentLayer = SimpleRnnLayer | GatedLayer
Layer = Annotated[SimpleRnnLayer | GatedLayer | DenseLayer, Field(discriminator="kind")]


def _columns(kernel: IntegerTensor, bias: IntegerTensor) -> int:
    """Return the columns of a kernel (inputs, columns) with a bias (columns,), if it is one."""
    if kernel.array.ndim != 2:
        raise ValueError(f"kernel must have two axes, found shape {kernel.array.shape}")
    units = kernel.array.shape[1]
    if bias.array.shape != (units,):
        raise ValueError(f"bias must have shape {(units,)}, found {bias.array.shape}")
    return int(units)
