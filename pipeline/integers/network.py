"""The quantized network as integers: the hand-over from `finetune` to firmware.

``models/integer.json`` holds every weight as an integer with a fixed-point
type, and the type of every tensor that flows. It needs no library to be read.
Arithmetic on it lives in `pipeline.firmware`.

All arithmetic between two types is exact: a layer forms the full-precision sum
and rounds once, into its activation's type. An unsigned activation type with
saturation is therefore a quantized ReLU; a signed one is a quantized linear
activation. The recurrent state is the activation, rounded once more into
`SimpleRnnLayer.state` before it meets the recurrent kernel; it starts at 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pipeline.base.arrays import I64
from pipeline.base.files import ArtifactError, read_json
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.base.schema import Frozen, parse

GATED = ("lstm", "gru")


class IntegerTensor(Frozen):
    """A constant tensor: nested lists of integers and their type.

    ``quantizer`` is the QKeras quantiser that made it, for reports only; the
    type is the smallest one that holds the values, or the quantiser's own.
    """

    type: FixedPointType
    integers: list[Any]
    quantizer: str

    @property
    def array(self) -> I64:
        """The integers as an int64 array."""
        return np.asarray(self.integers, dtype=np.int64)

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
    (units,). The layer returns h of the last step, in the activation's type.
    """

    kind: Literal["simple_rnn"] = "simple_rnn"
    name: str
    kernel: IntegerTensor
    recurrent_kernel: IntegerTensor
    bias: IntegerTensor
    state: FixedPointType
    activation: FixedPointType

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        units = check_affine(self.kernel, self.bias)
        if self.recurrent_kernel.array.shape != (units, units):
            raise ValueError(f"recurrent_kernel must have shape {(units, units)}")
        return self


class DenseLayer(Frozen):
    """``y = activation(x @ kernel + bias)``; kernel (features, units), bias (units,)."""

    kind: Literal["dense"] = "dense"
    name: str
    kernel: IntegerTensor
    bias: IntegerTensor
    activation: FixedPointType

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        check_affine(self.kernel, self.bias)
        return self


Layer = Annotated[SimpleRnnLayer | DenseLayer, Field(discriminator="kind")]


class IntegerNetwork(Frozen):
    """A recurrent layer over `window_length` one-feature steps, then Dense layers.

    Input and output are transverse energy divided by ``et_scale_gev``;
    ``input`` is the type that the samples are rounded into first.
    """

    schema_version: Literal[1] = 1
    window_length: int = Field(ge=1)
    et_scale_gev: float = Field(gt=0)
    input: FixedPointType
    layers: list[Layer] = Field(min_length=1)

    @model_validator(mode="after")
    def _chain(self) -> Self:
        if self.layers[0].kind != "simple_rnn" or any(
            layer.kind != "dense" for layer in self.layers[1:]
        ):
            raise ValueError("layers must be one simple_rnn followed by dense layers")
        check_chain([(layer.name, layer.kernel.array.shape) for layer in self.layers])
        return self

    @property
    def rnn(self) -> SimpleRnnLayer:
        """The recurrent layer."""
        assert isinstance(self.layers[0], SimpleRnnLayer)
        return self.layers[0]

    @property
    def dense(self) -> list[DenseLayer]:
        """The layers after the recurrent one."""
        return [layer for layer in self.layers if isinstance(layer, DenseLayer)]


def check_chain(layers: Sequence[tuple[str, tuple[int, ...]]]) -> None:
    """Check that layers, given as name, (inputs, outputs), lead from one value to one value."""
    features = 1
    for name, (inputs, outputs) in layers:
        if inputs != features:
            raise ValueError(f"{name}: kernel has {inputs} inputs, expected {features}")
        features = outputs
    if features != 1:
        raise ValueError(f"the last layer must have one output, found {features}")


def check_affine(kernel: IntegerTensor, bias: IntegerTensor) -> int:
    """Return the columns of a kernel (inputs, columns) with a bias (columns,), if it is one."""
    if kernel.array.ndim != 2:
        raise ValueError(f"kernel must have two axes, found shape {kernel.array.shape}")
    units = kernel.array.shape[1]
    if bias.array.shape != (units,):
        raise ValueError(f"bias must have shape {(units,)}, found {bias.array.shape}")
    return int(units)


def read_integer_network(path: Path) -> IntegerNetwork:
    """Read ``models/integer.json``; anything inconsistent is an `ArtifactError`.

    So is an LSTM or a GRU, see `pipeline.integers.gated`.
    """
    content = read_json(path)
    kind = first_kind(content)
    if kind in GATED:
        raise ArtifactError(
            f"{path}: layers.0.kind: {kind}: expected simple_rnn; the sigmoid and tanh of a gated "
            "cell are tables, there is no exact integer model of them"
        )
    return parse(IntegerNetwork, content, path)


def first_kind(content: Mapping[str, Any]) -> Any:
    """Return the kind of the first layer in the content of a hand-over file; None without one."""
    layers = content.get("layers")
    first = layers[0] if isinstance(layers, list) and layers else None
    return first.get("kind") if isinstance(first, dict) else None
