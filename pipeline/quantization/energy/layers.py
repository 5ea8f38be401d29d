"""Energy, bits and types of one layer: arithmetic, weights and activations.

Costs are those of one inference of one window. Weights are read once: kernels
this small stay in registers over the time steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.quantization.energy.cells import CellTypes, Work, cell_work
from pipeline.quantization.energy.description import (
    DenseDescription,
    LayerDescription,
    RecurrentDescription,
    size,
)
from pipeline.quantization.energy.memory import Memory
from pipeline.quantization.energy.number_types import NumberType, default_type, type_of
from pipeline.quantization.energy.operators import Arithmetic


@dataclass(frozen=True)
class Typing:
    """Says which type a tensor has.

    Attributes
    ----------
    process
        Whose table prices operations.
    internal, accumulator
        QTools names (``fp32``, ``int8``, ...): the type of a tensor that is not
        quantized, and of sums and products in layers that are not.
    is_reference
        Ignore every quantizer: the float network at `internal` precision.
    """

    process: str
    internal: str
    accumulator: str
    is_reference: bool

    def of(self, layer: LayerDescription, tensor: str) -> NumberType:
        """Return the type of one tensor of a layer."""
        return self.of_quantizer(getattr(layer, tensor), f"{layer.name}/{tensor}")

    def of_quantizer(self, quantizer: str | None, key: str) -> NumberType:
        """Return the type of a tensor; `key` names it in messages."""
        if quantizer is None or self.is_reference:
            return default_type(self.internal)
        return type_of(quantizer, key)

    def is_plain(self, layer: LayerDescription) -> bool:
        """Whether the layer is costed as one of the reference network."""
        return self.is_reference or not layer.is_quantized

    def arithmetic(self, layer: LayerDescription) -> Arithmetic:
        """Return how operations inside the layer are priced."""
        if self.is_plain(layer):
            internal, accumulator = default_type(self.internal), default_type(self.accumulator)
            return Arithmetic(self.process, internal, accumulator)
        return Arithmetic(self.process)

    def state(self, layer: RecurrentDescription) -> NumberType:
        """Return the type of the state; a SimpleRNN's is by default its activation."""
        if layer.state is None and layer.cell == "SimpleRNN":
            return self.of(layer, "activation")
        return self.of(layer, "state")


@dataclass(frozen=True)
class LayerBits:
    """Bits of one layer.

    Unlike QKeras' `ForgivingFactorBits`, which answers 0 for a recurrent layer, every tensor
    of every layer is there.

    Attributes
    ----------
    parameters
        By weight tensor: ``kernel``, ``recurrent_kernel``, ``bias``.
    activations
        ``output``, and for a recurrent layer ``state`` (LSTM: h and c).
    """

    parameters: dict[str, float]
    activations: dict[str, float]


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs in one inference, in pJ, and its bits.

    Attributes
    ----------
    name
        Name of the layer.
    inputs
        Reading the input, and the state in each step after the first.
    outputs
        Writing the output, and the state in each step before the last.
    parameters
        Reading the weights once.
    op_cost
        Multiplications, additions, gates.
    macs, products
        Multiply-accumulates with a weight; element-wise products.
    counted
        The parts that `total` adds, as QTools does: reading, not writing, since
        what one layer writes the next one reads.
    bits
        Of weights, states and output.
    """

    name: str
    inputs: float
    outputs: float
    parameters: float
    op_cost: float
    macs: int
    products: int
    counted: tuple[str, ...]
    bits: LayerBits

    @property
    def parts(self) -> dict[str, float]:
        """All four parts by name, counted or not."""
        return {
            "inputs": self.inputs,
            "outputs": self.outputs,
            "parameters": self.parameters,
            "op_cost": self.op_cost,
        }

    @property
    def total(self) -> float:
        """Sum of the counted parts."""
        return sum(self.parts[part] for part in self.counted)


@dataclass(frozen=True)
class Place:
    """Where a layer stands in the network."""

    is_first: bool
    is_last: bool


def layer_cost(
    layer: LayerDescription, value: NumberType, place: Place, typing: Typing, memory: Memory
) -> tuple[LayerCost, NumberType]:
    """Cost one layer.

    Parameters
    ----------
    layer
        Its description.
    value
        Type of the input.
    place
        Whether input or output are the network's.
    typing, memory
        How tensors are typed and stored.

    Returns
    -------
    tuple
        The cost, and the type of the output.
    """
    work = _work(layer, value, typing)
    result = _output_type(layer, work, typing)
    shapes = layer.weight_shapes
    widths = {tensor: typing.of(layer, tensor).bits for tensor in shapes}
    activation_bits = {"output": float(size(layer.output_shape) * result.bits)}
    reads = memory.move(layer.input_shape, value.bits, at_the_edge=place.is_first)
    writes = memory.move(layer.output_shape, result.bits, at_the_edge=place.is_last)
    if isinstance(layer, RecurrentDescription):
        states = 2 if layer.cell == "LSTM" else 1
        accesses = (layer.timesteps - 1) * states
        bits = typing.state(layer).bits
        reads += accesses * memory.move((layer.units,), bits)
        writes += accesses * memory.move((layer.units,), bits)
        activation_bits["state"] = float(states * layer.units * bits)
    cost = LayerCost(
        name=layer.name,
        inputs=reads,
        outputs=writes,
        parameters=sum(memory.read_weights(shapes[tensor], widths[tensor]) for tensor in shapes),
        op_cost=work.op_cost,
        macs=work.macs,
        products=work.products,
        counted=_counted(layer),
        bits=LayerBits(
            {tensor: float(size(shapes[tensor]) * widths[tensor]) for tensor in shapes},
            activation_bits,
        ),
    )
    return cost, result


def _work(layer: LayerDescription, value: NumberType, typing: Typing) -> Work:
    """Return the layer's arithmetic; an activation has none in QTools."""
    if isinstance(layer, RecurrentDescription):
        types = CellTypes(
            input=value,
            kernel=typing.of(layer, "kernel"),
            recurrent_kernel=typing.of(layer, "recurrent_kernel"),
            state=typing.state(layer),
            activation=typing.of(layer, "activation"),
            recurrent_activation=typing.of(layer, "recurrent_activation"),
        )
        return cell_work(layer, types, typing.arithmetic(layer))
    if isinstance(layer, DenseDescription):
        kernel = layer.weight_shapes["kernel"]
        mac = typing.arithmetic(layer).multiply_accumulate(
            typing.of(layer, "kernel"), value, kernel
        )
        count = layer.features * layer.units
        return Work(count * mac.energy, count, 0, mac.result)
    return Work(0.0, 0, 0, default_type(typing.accumulator))


def _output_type(layer: LayerDescription, work: Work, typing: Typing) -> NumberType:
    """Return the type that the next layer reads.

    A quantized activation's; without one a Dense layer puts out its accumulator,
    as in QTools. A SimpleRNN puts out its activation. LSTM and GRU put out their state as
    it is stored; without a state quantizer, or unrounded, a product or a sum that their
    activation does not quantize.
    """
    if isinstance(layer, RecurrentDescription):
        stored = layer.cell != "SimpleRNN" and not layer.unrounded_output
        if stored and layer.state is not None and not typing.is_reference:
            return typing.state(layer)
        return work.result
    if layer.activation is None or typing.is_reference:
        return work.result
    return typing.of(layer, "activation")


def _counted(layer: LayerDescription) -> tuple[str, ...]:
    """Return which parts of a layer QTools adds up: ``include_energy`` of its settings."""
    if isinstance(layer, RecurrentDescription | DenseDescription):
        return ("inputs", "parameters", "op_cost")
    return ("outputs",)
