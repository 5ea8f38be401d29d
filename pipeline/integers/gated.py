"""A quantized LSTM or GRU as integers: what `finetune` hands to firmware for these cells.

Weights are integers and every stored tensor has a fixed-point type, as in
`pipeline.integers.network`, and the file is the same, ``models/integer.json``. What is
missing is exactness: sigmoid and tanh have no exact arithmetic, only tables. So this
network has no golden model, and no RTL; hls4ml's recurrent templates evaluate it, and how
far they are from QKeras is measured.

With gates side by side in the order of Keras (LSTM: i, f, c, o; GRU: z, r, h):

- LSTM: ``c_t = f c_{t-1} + i tanh(..)``, ``h_t = o tanh(c_t)``;
- GRU, reset after the product: ``h_t = z h_{t-1} + (1 - z) tanh(x W + b_0 + r (h U + b_1))``.

``sigmoid`` and ``tanh`` round into their own types, h and c into ``state``, which the next
step and the layer behind read. Both start at 0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.base.files import read_json, write_json
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.base.schema import Frozen, parse
from pipeline.integers.network import (
    GATED,
    DenseLayer,
    IntegerNetwork,
    IntegerTensor,
    check_chain,
    first_kind,
)

GATES = {"lstm": 4, "gru": 3}
# Name of the file that stands in an output directory where its content cannot be made.
NOT_AVAILABLE = "not_available.txt"
NO_RTL = (
    "no RTL of an LSTM or a GRU: it has no exact integer model to prove one by "
    "(docs/firmware.md); models/firmware has its HLS project"
)


class GatedLayer(Frozen):
    """An LSTM or a GRU over one-feature steps; see the module's docstring.

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
        bias = (2, width) if self.kind == "gru" else (width,)
        wanted = {
            "kernel": (self.kernel.array.shape[0], width),
            "recurrent_kernel": (self.units, width),
            "bias": bias,
        }
        for tensor, shape in wanted.items():
            found = getattr(self, tensor).array.shape
            if found != shape:
                raise ValueError(f"{tensor} must have shape {shape}, found {found}")
        return self


Layer = Annotated[GatedLayer | DenseLayer, Field(discriminator="kind")]


class GatedNetwork(Frozen):
    """A gated layer over `window_length` one-feature steps, then Dense layers.

    Attributes are those of `pipeline.integers.network.IntegerNetwork`.
    """

    schema_version: Literal[1] = 1
    window_length: int = Field(ge=1)
    et_scale_gev: float = Field(gt=0)
    input: FixedPointType
    layers: list[Layer] = Field(min_length=2)

    @model_validator(mode="after")
    def _chain(self) -> Self:
        if self.layers[0].kind == "dense" or any(x.kind != "dense" for x in self.layers[1:]):
            raise ValueError("layers must be one lstm or gru followed by dense layers")
        dense = [(layer.name, layer.kernel.array.shape) for layer in self.dense]
        check_chain([(self.rnn.name, (self.rnn.kernel.array.shape[0], self.rnn.units)), *dense])
        return self

    @property
    def rnn(self) -> GatedLayer:
        """The recurrent layer."""
        assert isinstance(self.layers[0], GatedLayer)
        return self.layers[0]

    @property
    def dense(self) -> list[DenseLayer]:
        """The layers after the recurrent one."""
        return [layer for layer in self.layers if isinstance(layer, DenseLayer)]


HardwareNetwork = IntegerNetwork | GatedNetwork


def output_type(network: HardwareNetwork) -> FixedPointType:
    """Type of the network's output."""
    last = network.layers[-1]
    assert not isinstance(last, GatedLayer)
    return last.activation


def write_network(path: Path, network: HardwareNetwork) -> None:
    """Write ``models/integer.json``."""
    write_json(path, network.model_dump())


def read_network(path: Path) -> HardwareNetwork:
    """Read ``models/integer.json``, with or without gates.

    Raises
    ------
    ArtifactError
        If anything is inconsistent; file and key are named.
    """
    content = read_json(path)
    if first_kind(content) in GATED:
        return parse(GatedNetwork, content, path)
    return parse(IntegerNetwork, content, path)
