"""What the energy model needs to know of a network: shapes and quantizers, no weights.

A description is plain, immutable data. Quantizers are QKeras strings such as
``"quantized_bits(6,1,1,alpha=1)"``; ``None`` is a tensor that is not quantized.
Making, changing and comparing descriptions needs no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Self

from pipeline.base.architecture import DENSE_LAYER, GATES, RNN_LAYER, Architecture, Cell
from pipeline.base.errors import PipelineError

Shape = tuple[int, ...]


_QUANTIZER_FIELDS = frozenset(
    {"kernel", "recurrent_kernel", "bias", "state", "activation", "recurrent_activation"}
)


class EnergyError(PipelineError):
    """A network or a quantizer without a price."""


@dataclass(frozen=True, kw_only=True)
class RecurrentDescription:
    """One SimpleRNN, LSTM or GRU layer that starts from a zero state.

    Attributes
    ----------
    features, units, timesteps
        The input has shape (timesteps, features), the state (units,).
    kernel, recurrent_kernel, bias
        Quantizers of the weights.
    state
        Quantizer of the state before it meets the recurrent kernel (LSTM: of
        h and c). Without one, a SimpleRNN's state is its activation.
    activation
        Quantizer of the activation (LSTM, GRU: of the candidate, LSTM also of
        the cell state on its way out).
    recurrent_activation
        Quantizer of the gates; LSTM and GRU only.
    use_bias, return_sequences
        As in Keras.
    reset_after
        GRU only: the reset gate multiplies U h + b_r, not h.
    unrounded_output
        LSTM and GRU with a state quantizer: what leaves the layer is h before it is
        rounded into the state's type, as QKeras' layers put it out. The network of
        this project rounds the last h as it is stored.
    """

    name: str
    cell: Cell
    features: int
    units: int
    timesteps: int
    kernel: str | None = None
    recurrent_kernel: str | None = None
    bias: str | None = None
    state: str | None = None
    activation: str | None = None
    recurrent_activation: str | None = None
    use_bias: bool = True
    reset_after: bool = False
    return_sequences: bool = False
    unrounded_output: bool = False

    def __post_init__(self) -> None:
        if self.cell not in GATES:
            raise EnergyError(f"{self.name}: cell: expected one of {sorted(GATES)}, "
                              f"found {self.cell!r}")  # fmt: skip
        if self.reset_after and self.cell != "GRU":
            raise EnergyError(f"{self.name}: reset_after: only a GRU has one")
        if self.unrounded_output and self.cell == "SimpleRNN":
            raise EnergyError(f"{self.name}: unrounded_output: a SimpleRNN's is its activation")
        if self.recurrent_activation is not None and self.cell == "SimpleRNN":
            raise EnergyError(f"{self.name}: recurrent_activation: a SimpleRNN has no gates")
        _check_sizes(self.name, (self.features, self.units, self.timesteps))

    @property
    def is_quantized(self) -> bool:
        """Whether any weight has a quantizer."""
        return any((self.kernel, self.recurrent_kernel, self.bias))

    @property
    def input_shape(self) -> Shape:
        """(timesteps, features)."""
        return (self.timesteps, self.features)

    @property
    def output_shape(self) -> Shape:
        """(units,), or (timesteps, units) with ``return_sequences``."""
        return (self.timesteps, self.units) if self.return_sequences else (self.units,)

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        """Shape of each weight tensor, as Keras stores it (gates side by side)."""
        width = GATES[self.cell] * self.units
        shapes: dict[str, Shape] = {
            "kernel": (self.features, width),
            "recurrent_kernel": (self.units, width),
        }
        if self.use_bias:
            shapes["bias"] = (2, width) if self.reset_after else (width,)
        return shapes


@dataclass(frozen=True, kw_only=True)
class DenseDescription:
    """One Dense layer on a vector: (features,) to (units,)."""

    name: str
    features: int
    units: int
    kernel: str | None = None
    bias: str | None = None
    activation: str | None = None
    use_bias: bool = True

    def __post_init__(self) -> None:
        _check_sizes(self.name, (self.features, self.units))

    @property
    def is_quantized(self) -> bool:
        """Whether any weight has a quantizer."""
        return any((self.kernel, self.bias))

    @property
    def input_shape(self) -> Shape:
        """(features,)."""
        return (self.features,)

    @property
    def output_shape(self) -> Shape:
        """(units,)."""
        return (self.units,)

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        """Shape of each weight tensor."""
        shapes: dict[str, Shape] = {"kernel": (self.features, self.units)}
        if self.use_bias:
            shapes["bias"] = (self.units,)
        return shapes


@dataclass(frozen=True, kw_only=True)
class ActivationDescription:
    """An activation as a separate layer."""

    name: str
    shape: Shape
    activation: str | None = None

    def __post_init__(self) -> None:
        _check_sizes(self.name, self.shape)

    @property
    def is_quantized(self) -> bool:
        """Whether it has a quantizer."""
        return self.activation is not None

    @property
    def input_shape(self) -> Shape:
        """As `shape`."""
        return self.shape

    @property
    def output_shape(self) -> Shape:
        """As `shape`."""
        return self.shape

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        """Nothing: an activation has no weights."""
        return {}


LayerDescription = RecurrentDescription | DenseDescription | ActivationDescription


@dataclass(frozen=True)
class NetworkDescription:
    """A chain of layers; `input` is the quantizer of what enters the first."""

    layers: tuple[LayerDescription, ...]
    input: str | None = None

    def __post_init__(self) -> None:
        if not self.layers:
            raise EnergyError("network: expected at least one layer, found none")
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            raise EnergyError(f"network: expected different layer names, found {names}")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.output_shape != after.input_shape:
                raise EnergyError(
                    f"{after.name}: expected input of shape {after.input_shape}, "
                    f"found {before.output_shape} from {before.name}"
                )

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(size(shape) for layer in self.layers for shape in layer.weight_shapes.values())

    def with_quantizers(self, quantizers: Mapping[str, str | None]) -> Self:
        """Return the same network with other quantizers.

        Parameters
        ----------
        quantizers
            By ``"input"`` or ``"<layer>/<tensor>"``, e.g.
            ``"rnn/recurrent_kernel"``; tensors not named keep theirs.

        Raises
        ------
        EnergyError
            If a key names no quantized tensor of this network.
        """
        changes: dict[str, dict[str, str | None]] = {layer.name: {} for layer in self.layers}
        for key, quantizer in quantizers.items():
            layer_name, _, tensor = key.rpartition("/")
            if key != "input" and key not in self.quantizers:
                raise EnergyError(f"{key}: expected one of {sorted(self.quantizers)}")
            if key != "input":
                changes[layer_name][tensor] = quantizer
        layers = tuple(replace(layer, **changes[layer.name]) for layer in self.layers)  # type: ignore[arg-type]
        return replace(self, layers=layers, input=quantizers.get("input", self.input))

    @property
    def quantizers(self) -> dict[str, str | None]:
        """Every quantizer by the key that `with_quantizers` takes."""
        quantizers = {"input": self.input}
        for layer in self.layers:
            for field in fields(layer):
                if field.name in _QUANTIZER_FIELDS and _has_tensor(layer, field.name):
                    quantizers[f"{layer.name}/{field.name}"] = getattr(layer, field.name)
        return quantizers


def float_network(architecture: Architecture) -> NetworkDescription:
    """Describe the project's float network ``Input(L, 1) -> cell(units) -> Dense(1)``.

    The layers are named ``rnn`` and ``dense``; the GRU is the one with
    ``reset_after=True``, as the float network is built.
    """
    rnn = RecurrentDescription(
        name=RNN_LAYER,
        cell=architecture.cell,
        features=1,
        units=architecture.units,
        timesteps=architecture.window_length,
        reset_after=architecture.cell == "GRU",
    )
    dense = DenseDescription(name=DENSE_LAYER, features=architecture.units, units=1)
    return NetworkDescription((rnn, dense))


def size(shape: Shape) -> int:
    """Return the number of elements."""
    product = 1
    for length in shape:
        product *= length
    return product


def _has_tensor(layer: LayerDescription, tensor: str) -> bool:
    if tensor == "bias":
        return tensor in layer.weight_shapes
    if tensor == "recurrent_activation":
        return isinstance(layer, RecurrentDescription) and layer.cell != "SimpleRNN"
    return True


def _check_sizes(name: str, sizes: tuple[int, ...]) -> None:
    if not sizes or any(length < 1 for length in sizes):
        raise EnergyError(f"{name}: expected sizes of at least 1, found {sizes}")
