"""Energy of a recurrent network in one inference: QTools' model, extended to its gap.

QTools prices operations and memory of feed-forward layers and answers 0 for
recurrent ones, so a search by energy is blind to nearly all of a recurrent
network. Here a `NetworkDescription` (shapes and quantiser strings, no model, no
weights) is priced with QTools' own operators and tables; for a network of Dense
layers the figures are QTools' own, before it rounds them. docs/energy.md has
the formulas and choices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.base.units import PJ_PER_NJ
from pipeline.params.network import EnergyParams
from pipeline.quantization.energy.bits import LayerBits, NetworkBits, bits_of
from pipeline.quantization.energy.description import (
    ActivationDescription,
    DenseDescription,
    EnergyError,
    NetworkDescription,
    RecurrentDescription,
    float_network,
)
from pipeline.quantization.energy.from_keras import describe_model
from pipeline.quantization.energy.layers import LayerEnergy, Place, Typing, layer_energy
from pipeline.quantization.energy.operators import Memory, technology

__all__ = [
    "ActivationDescription",
    "DenseDescription",
    "EnergyError",
    "LayerBits",
    "LayerEnergy",
    "NetworkBits",
    "NetworkDescription",
    "NetworkEnergy",
    "RecurrentDescription",
    "Which",
    "describe_model",
    "float_network",
    "network_bits",
    "network_energy",
    "with_reference",
]

Which = Literal["reference", "trial"]


@dataclass(frozen=True)
class NetworkEnergy:
    """Energy of one inference, layer by layer, in pJ and not rounded."""

    layers: tuple[LayerEnergy, ...]

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

    def layer(self, name: str) -> LayerEnergy:
        """Return one layer's energy; an unknown name is a `KeyError`."""
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


def network_energy(
    description: NetworkDescription, params: EnergyParams, which: Which = "trial"
) -> NetworkEnergy:
    """Price one inference of a network.

    Parameters
    ----------
    description
        Shapes and quantisers.
    params
        The ``energy`` section; of each list of two, the first entry is for the
        reference and the second for the trial.
    which
        ``reference`` ignores the quantisers: weights, state and the network's
        input are of type ``reference_internal``, products and sums of type
        ``reference_accumulator``. ``trial`` follows the quantisers; a tensor
        without one costs as in the reference.

    Returns
    -------
    NetworkEnergy
        In pJ.

    Raises
    ------
    EnergyError
        If a quantiser cannot be priced; see `energy_quantizers`.
    """
    typing, memory = _typing(params, which), _memory(params, which)
    given = typing.of_quantizer(description.input, "input")
    layers = []
    with technology(params.process):
        for index, layer in enumerate(description.layers):
            place = Place(index == 0, index == len(description.layers) - 1)
            energy, given = layer_energy(layer, given, place, typing, memory)
            layers.append(energy)
    return NetworkEnergy(tuple(layers))


def network_bits(
    description: NetworkDescription, params: EnergyParams, which: Which = "trial"
) -> NetworkBits:
    """Count the bits of weights, states and activations; arguments as `network_energy`."""
    return bits_of(description, _typing(params, which))


def with_reference(params: EnergyParams, internal: str, accumulator: str) -> EnergyParams:
    """Return the same energy model with another reference, e.g. ``fp32``, ``fp32``."""
    changes = {"reference_internal": internal, "reference_accumulator": accumulator}
    return EnergyParams.model_validate(params.model_dump() | changes)


def _typing(params: EnergyParams, which: Which) -> Typing:
    return Typing(params.reference_internal, params.reference_accumulator, which == "reference")


def _memory(params: EnergyParams, which: Which) -> Memory:
    index = ("reference", "trial").index(which)
    return Memory(
        params.parameters_on_memory[index],
        params.activations_on_memory[index],
        params.min_sram_size_bits[index],
        params.rd_wr_on_io[index],
    )
