"""Energy and bits of a recurrent network in one inference: QTools' model, without its gap.

QTools prices operations and memory of feed-forward layers and answers 0 for
recurrent ones, so a search by energy is blind to nearly all of a recurrent
network. Here a `NetworkDescription` (shapes and quantizer strings, no model, no
weights) is priced with the operators and tables of QTools; for a network of Dense
layers the figures equal those of QTools, before it rounds them. docs/energy.md has
the formulas and choices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.base.units import PJ_PER_NJ
from pipeline.params.energy import EnergyParams
from pipeline.quantization.energy.description import NetworkDescription, size
from pipeline.quantization.energy.layers import LayerCost, Place, Typing, layer_cost
from pipeline.quantization.energy.memory import Memory
from pipeline.quantization.energy.number_types import (
    DEFAULT_TYPES,
    NumberType,
    default_type,
    type_of,
)

Which = Literal["reference", "trial"]


@dataclass(frozen=True)
class NetworkCost:
    """Energy of one inference, layer by layer, in pJ and not rounded; and bits.

    Attributes
    ----------
    layers
        In the order of the network.
    input_bits
        Of one whole input window.
    """

    layers: tuple[LayerCost, ...]
    input_bits: float

    @property
    def total(self) -> float:
        """Sum of what QTools counts of each layer, pJ."""
        return sum(layer.total for layer in self.layers)

    @property
    def total_nj(self) -> float:
        """`total` in nJ."""
        return self.total / PJ_PER_NJ

    @property
    def macs(self) -> int:
        """Multiply-accumulates with a weight."""
        return sum(layer.macs for layer in self.layers)

    @property
    def weight_bits(self) -> float:
        """Bits of all weights."""
        return sum(sum(layer.bits.parameters.values()) for layer in self.layers)

    @property
    def activation_bits(self) -> float:
        """Bits of the input, all states and all outputs."""
        return self.input_bits + sum(sum(layer.bits.activations.values()) for layer in self.layers)

    @property
    def bits(self) -> float:
        """Weights and activations."""
        return self.weight_bits + self.activation_bits

    def layer(self, name: str) -> LayerCost:
        """Return one layer's cost; an unknown name is a `KeyError`."""
        return {layer.name: layer for layer in self.layers}[name]

    def by_layer_nj(self) -> dict[str, dict[str, float]]:
        """Every part and the counted total of each layer, in nJ, for a metrics file."""
        return {
            layer.name: {
                part: picojoule / PJ_PER_NJ
                for part, picojoule in {**layer.parts, "total": layer.total}.items()
            }
            for layer in self.layers
        }


def network_cost(
    description: NetworkDescription, params: EnergyParams, which: Which = "trial"
) -> NetworkCost:
    """Price one inference of a network.

    Parameters
    ----------
    description
        Shapes and quantizers.
    params
        The ``energy`` section; of each list of two, the first entry is for the
        reference and the second for the trial. ``source_quantizer`` is the type of the
        trial's input, whatever its quantizer.
    which
        ``reference`` ignores the quantizers: weights, state and the network's
        input are of type ``reference_internal``, products and sums of type
        ``reference_accumulator``. ``trial`` follows the quantizers; a tensor
        without one costs as in the reference.

    Returns
    -------
    NetworkCost
        In pJ and bits; widths are those that the energy is priced with.

    Raises
    ------
    EnergyError
        If a quantizer cannot be priced; see `type_of`.
    """
    typing, memory = _typing(params, which), _memory(params, which)
    value = typing.of_quantizer(description.input, "input")
    if which == "trial" and params.source_quantizer is not None:
        value = source_type(params.source_quantizer)
    input_bits = float(size(description.layers[0].input_shape) * value.bits)
    layers = []
    for index, layer in enumerate(description.layers):
        place = Place(index == 0, index == len(description.layers) - 1)
        cost, value = layer_cost(layer, value, place, typing, memory)
        layers.append(cost)
    return NetworkCost(tuple(layers), input_bits)


def source_type(text: str) -> NumberType:
    """Return the type that ``energy.source_quantizer`` prices samples as: a name or a quantizer.

    Raises
    ------
    EnergyError
        If it is neither.
    """
    return default_type(text) if text in DEFAULT_TYPES else type_of(text, "energy.source_quantizer")


def with_reference(params: EnergyParams, internal: str, accumulator: str) -> EnergyParams:
    """Return the same energy model with another reference, e.g. ``fp32``, ``fp32``."""
    changes = {"reference_internal": internal, "reference_accumulator": accumulator}
    return EnergyParams.model_validate(params.model_dump() | changes)


def _typing(params: EnergyParams, which: Which) -> Typing:
    internal, accumulator = params.reference_internal, params.reference_accumulator
    return Typing(params.process, internal, accumulator, which == "reference")


def _memory(params: EnergyParams, which: Which) -> Memory:
    index = ("reference", "trial").index(which)
    return Memory(
        params.process,
        params.parameters_on_memory[index],
        params.activations_on_memory[index],
        params.min_sram_size_bits[index],
        params.rd_wr_on_io[index],
    )
