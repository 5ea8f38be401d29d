"""What a choice of quantisers costs: energy or bits, by the search's goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.params.network import EnergyParams
from pipeline.quantization.energy.description import LayerDescription
from pipeline.quantization.energy.network import (
    DenseDescription,
    NetworkDescription,
    RecurrentDescription,
    network_bits,
    network_energy,
)
from pipeline.quantization.quantizers.quantizer import Quantizer


@dataclass(frozen=True)
class TrialCost:
    """What one network costs.

    Attributes
    ----------
    cost
        What the goal counts: energy in pJ, or bits of parameters and activations.
    energy_nj
        Energy of one inference, whatever the goal.
    weight_bits
        Bits of all weights.
    """

    cost: float
    energy_nj: float
    weight_bits: float


class CostModel:
    """Energy and size of the network as a function of its quantisers."""

    def __init__(self, description: NetworkDescription, energy: EnergyParams, goal: str) -> None:
        self._description = description
        self._energy = energy
        self._goal = goal

    @property
    def units(self) -> int:
        """Width of the float network's recurrent layer."""
        return next(
            layer.units
            for layer in self._description.layers
            if isinstance(layer, RecurrentDescription)
        )

    def reference(self) -> float:
        """Return the cost of the reference, pJ or bits."""
        if self._goal == "bits":
            return network_bits(self._description, self._energy, "reference").total
        return network_energy(self._description, self._energy, "reference").total

    def reference_energy_nj(self) -> float:
        """Return the energy of the reference, whatever the goal."""
        return network_energy(self._description, self._energy, "reference").total_nj

    def reference_by_layer(self) -> dict[str, float]:
        """Return the cost of each layer of the reference, pJ or bits; what enters is not in it."""
        if self._goal == "bits":
            counted = network_bits(self._description, self._energy, "reference").layers
            return {
                layer.name: sum(layer.parameters.values()) + sum(layer.activations.values())
                for layer in counted
            }
        layers = network_energy(self._description, self._energy, "reference").layers
        return {layer.name: layer.total for layer in layers}

    def trial(self, quantizers: Mapping[str, Quantizer], units: int | None = None) -> TrialCost:
        """Return what a network with these quantisers costs.

        Parameters
        ----------
        quantizers
            By tensor; what has none costs as in the reference.
        units
            Width of the recurrent layer; None is that of the float network.
        """
        description = self._description if units is None else resized(self._description, units)
        network = description.with_quantizers(
            {tensor: quantizer.text for tensor, quantizer in quantizers.items()}
        )
        energy = network_energy(network, self._energy)
        bits = network_bits(network, self._energy)
        cost = bits.total if self._goal == "bits" else energy.total
        return TrialCost(cost, energy.total_nj, bits.parameters)


def resized(description: NetworkDescription, units: int) -> NetworkDescription:
    """Return the network with recurrent layers of another width, and what reads them."""
    layers: list[LayerDescription] = []
    for layer in description.layers:
        if isinstance(layer, RecurrentDescription):
            layer = replace(layer, units=units)
        elif layers and isinstance(layer, DenseDescription):
            layer = replace(layer, features=layers[-1].output_shape[-1])
        layers.append(layer)
    return replace(description, layers=tuple(layers))
