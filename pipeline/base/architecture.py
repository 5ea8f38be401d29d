"""The form of a network: its cell, its width, its tensors by name and their shapes.

The network is one recurrent layer, named ``rnn``, over a window of samples, and one Dense
layer, named ``dense``, behind its last step. Whoever trains, prices, quantizes or exports it
takes the form from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal, Self

from numpy.typing import NDArray

Cell = Literal["SimpleRNN", "LSTM", "GRU"]
Shape = tuple[int, ...]

RNN_LAYER = "rnn"
DENSE_LAYER = "dense"
INPUT = "input"
GATES: Mapping[str, int] = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
"""Blocks of `units` columns in a recurrent layer's kernels, side by side as Keras stores them."""


@dataclass(frozen=True)
class Architecture:
    """One form of network.

    Attributes
    ----------
    cell
        Keras' class of the recurrent layer.
    units
        Its hidden units.
    window_length
        L, samples in one window: the time steps.
    """

    cell: Cell
    units: int
    window_length: int

    @property
    def gated(self) -> bool:
        """Whether the cell has sigmoid and tanh inside."""
        return self.cell != "SimpleRNN"

    @property
    def tensors(self) -> list[str]:
        """What can be quantized; see `quantized_tensors`."""
        return quantized_tensors(self.cell)

    @property
    def weight_shapes(self) -> dict[str, Shape]:
        """Shape of every weight, by ``layer/tensor``."""
        return network_shapes(self.cell, self.units)

    def summary_lines(self, title: str) -> list[str]:
        """Return layers, shapes and numbers of weights as Keras' ``model.summary()`` does."""
        shapes = {"samples": (self.window_length, 1), RNN_LAYER: (self.units,), DENSE_LAYER: (1,)}
        classes = {"samples": "Input", RNN_LAYER: self.cell, DENSE_LAYER: "Dense"}
        counts = dict.fromkeys(shapes, 0)
        for tensor, shape in self.weight_shapes.items():
            counts[tensor.split("/")[0]] += prod(shape)
        lines = [f"{title}: {sum(counts.values())} parameters"]
        for name, shape in shapes.items():
            text = "(None, " + ", ".join(map(str, shape)) + ")"
            lines.append(f"  {name:<10}{classes[name]:<11}{text:<16}{counts[name]:>8}")
        return lines

    def with_units(self, units: int) -> Self:
        """Return the same form of another width."""
        return replace(self, units=units)


def quantized_tensors(cell: str) -> list[str]:
    """Return what can be quantized in the network, as ``layer/tensor`` and ``input``.

    ``rnn/activation`` is the output of the cell, ``rnn/state`` what of it is
    fed back; LSTM and GRU have a ``rnn/recurrent_activation`` as well.
    """
    gates = [] if cell == "SimpleRNN" else ["rnn/recurrent_activation"]
    return [
        INPUT,
        "rnn/kernel",
        "rnn/recurrent_kernel",
        "rnn/bias",
        "rnn/activation",
        *gates,
        "rnn/state",
        "dense/kernel",
        "dense/bias",
        "dense/activation",
    ]


def network_shapes(cell: str, units: int) -> dict[str, Shape]:
    """Return the shape of every weight of a network, by ``layer/tensor``, as Keras stores it."""
    width = GATES[cell] * units
    return {
        "rnn/kernel": (1, width),
        "rnn/recurrent_kernel": (units, width),
        "rnn/bias": (2, width) if cell == "GRU" else (width,),
        "dense/kernel": (units, 1),
        "dense/bias": (1,),
    }


def units_of(weights: Mapping[str, NDArray[Any]]) -> int | None:
    """Return the width of the network that weights belong to, if they are a whole network."""
    kernel = weights.get("rnn/recurrent_kernel")
    return None if kernel is None else int(kernel.shape[0])
