"""What a choice of quantisers costs: energy or bits, by the search's goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.base.architecture import Architecture
from pipeline.params.network import EnergyParams
from pipeline.quantization.energy.description import float_network
from pipeline.quantization.energy.network import network_bits, network_energy
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
    """Energy and size of the network as a function of its quantisers and units.

    Parameters
    ----------
    architecture
        Of the float network.
    energy
        The ``energy`` section.
    goal
        What `cost` counts: ``energy`` or ``bits``.
    """

    def __init__(self, architecture: Architecture, energy: EnergyParams, goal: str) -> None:
        self.architecture = architecture
        self._description = float_network(architecture)
        self._energy = energy
        self._goal = goal

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
        description = self._description
        if units is not None:
            description = float_network(self.architecture.with_units(units))
        network = description.with_quantizers(
            {tensor: quantizer.text for tensor, quantizer in quantizers.items()}
        )
        energy = network_energy(network, self._energy)
        bits = network_bits(network, self._energy)
        cost = bits.total if self._goal == "bits" else energy.total
        return TrialCost(cost, energy.total_nj, bits.parameters)
