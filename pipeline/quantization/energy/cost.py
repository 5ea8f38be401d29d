"""What a choice of quantizers costs: energy or bits, by the search's goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pipeline.base.architecture import Architecture
from pipeline.params.energy import EnergyParams
from pipeline.quantization.energy.description import float_network
from pipeline.quantization.energy.network import NetworkCost, network_cost
from pipeline.quantizers.quantizer import Quantizer

Goal = Literal["energy", "bits"]


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
    """Energy and size of the network as a function of its quantizers and units.

    Parameters
    ----------
    architecture
        Of the float network.
    energy
        The ``energy`` section.
    goal
        What `cost` counts: ``energy`` or ``bits``.
    """

    def __init__(self, architecture: Architecture, energy: EnergyParams, goal: Goal) -> None:
        self.architecture = architecture
        self._description = float_network(architecture)
        self._energy = energy
        self.goal = goal

    @cached_property
    def reference_network(self) -> NetworkCost:
        """Cost of the reference by layer and part."""
        return network_cost(self._description, self._energy, "reference")

    def reference(self) -> float:
        """Return the cost of the reference, pJ or bits."""
        return self._cost(self.reference_network)

    def reference_energy_nj(self) -> float:
        """Return the energy of the reference, whatever the goal."""
        return self.reference_network.total_nj

    def reference_by_layer(self) -> dict[str, float]:
        """Return the cost of each layer of the reference, pJ or bits; what enters is not in it."""
        if self.goal == "bits":
            return {
                layer.name: sum(layer.bits.parameters.values())
                + sum(layer.bits.activations.values())
                for layer in self.reference_network.layers
            }
        return {layer.name: layer.total for layer in self.reference_network.layers}

    def trial(self, quantizers: Mapping[str, Quantizer], units: int | None = None) -> TrialCost:
        """Return what a network with these quantizers costs.

        Parameters
        ----------
        quantizers
            By tensor; what has none costs as in the reference.
        units
            Width of the recurrent layer; None is that of the float network.
        """
        cost = self.network(quantizers, units)
        return TrialCost(self._cost(cost), cost.total_nj, cost.weight_bits)

    def network(self, quantizers: Mapping[str, Quantizer], units: int | None = None) -> NetworkCost:
        """Return the cost of a network by layer and part; parameters as those of `trial`."""
        description = self._description
        if units is not None:
            description = float_network(self.architecture.with_units(units))
        network = description.with_quantizers(
            {tensor: quantizer.text for tensor, quantizer in quantizers.items()}
        )
        return network_cost(network, self._energy)

    def _cost(self, network: NetworkCost) -> float:
        return network.bits if self.goal == "bits" else network.total
