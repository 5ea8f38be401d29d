"""Bits of weights, states and activations of a description.

Unlike QKeras' `ForgivingFactorBits`, which answers 0 for a recurrent layer,
every tensor of every layer is there.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.quantization.energy.description import NetworkDescription, RecurrentDescription, size
from pipeline.quantization.energy.layers import Typing, layer_work, output_type


@dataclass(frozen=True)
class LayerBits:
    """Bits of one layer.

    Attributes
    ----------
    parameters
        By weight tensor: ``kernel``, ``recurrent_kernel``, ``bias``.
    activations
        ``output``, and for a recurrent layer ``state`` (LSTM: h and c).
    """

    name: str
    parameters: dict[str, float]
    activations: dict[str, float]


@dataclass(frozen=True)
class NetworkBits:
    """Bits of a network; `input` is one whole input window."""

    input: float
    layers: tuple[LayerBits, ...]

    @property
    def parameters(self) -> float:
        """Bits of all weights."""
        return sum(sum(layer.parameters.values()) for layer in self.layers)

    @property
    def activations(self) -> float:
        """Bits of the input, all states and all outputs."""
        return self.input + sum(sum(layer.activations.values()) for layer in self.layers)

    @property
    def total(self) -> float:
        """Parameters and activations."""
        return self.parameters + self.activations


def bits_of(description: NetworkDescription, typing: Typing) -> NetworkBits:
    """Count bits; widths are those that the energy is priced with."""
    given = typing.of_quantizer(description.input, "input")
    window = float(size(description.layers[0].input_shape) * given.bits)
    layers = []
    for layer in description.layers:
        given = output_type(layer, layer_work(layer, given, typing), typing)
        parameters = {
            tensor: float(size(shape) * typing.of(layer, tensor).bits)
            for tensor, shape in layer.weight_shapes.items()
        }
        activations = {"output": float(size(layer.output_shape) * given.bits)}
        if isinstance(layer, RecurrentDescription):
            states = 2 if layer.cell == "LSTM" else 1
            activations["state"] = float(states * layer.units * typing.state(layer).bits)
        layers.append(LayerBits(layer.name, parameters, activations))
    return NetworkBits(window, tuple(layers))
