"""What a choice of quantisers costs: energy or bits, by the search's goal."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.params import EnergyParams
from pipeline.quantization.energy import NetworkDescription, network_bits, network_energy
from pipeline.quantization.quantizers import Quantizer


class CostModel:
    """Energy and size of the network as a function of its quantisers."""

    def __init__(self, description: NetworkDescription, energy: EnergyParams, goal: str) -> None:
        self._description = description
        self._energy = energy
        self._goal = goal

    def reference(self) -> float:
        """Return the cost of the reference, pJ or bits."""
        if self._goal == "bits":
            return network_bits(self._description, self._energy, "reference").total
        return self.reference_energy()

    def reference_energy(self) -> float:
        """Return the energy of the reference, pJ, whatever the goal."""
        return network_energy(self._description, self._energy, "reference").total

    def trial(self, quantizers: Mapping[str, Quantizer]) -> tuple[float, float, float]:
        """Return cost (pJ or bits), energy (pJ) and bits of all weights."""
        network = self._description.with_quantizers(
            {tensor: quantizer.text for tensor, quantizer in quantizers.items()}
        )
        energy = network_energy(network, self._energy).total
        bits = network_bits(network, self._energy)
        return (bits.total if self._goal == "bits" else energy), energy, bits.parameters
