"""Energy of one access to a memory, by QTools' model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.quantization.energy.description import Shape, size
from pipeline.quantization.energy.table import PROCESSES, SRAM_WORD_BITS, evaluate


@dataclass(frozen=True)
class Memory:
    """Where tensors live.

    Attributes
    ----------
    process
        Whose table is taken.
    parameters, activations
        ``sram``, ``dram`` or ``fixed`` (wired: free).
    min_sram_size_bits
        Smallest SRAM that is built, bits.
    rd_wr_on_io
        Whether the network's input and output live in DRAM; else in SRAM.
    """

    process: str
    parameters: str
    activations: str
    min_sram_size_bits: int
    rd_wr_on_io: bool

    def read_weights(self, shape: Shape, bits: int) -> float:
        """Energy to read a weight tensor once, pJ."""
        return self._access(self.parameters, size(shape) * bits)

    def move(self, shape: Shape, bits: int, *, at_the_edge: bool = False) -> float:
        """Energy to read or to write an activation tensor once, pJ.

        Parameters
        ----------
        shape, bits
            Of the tensor, without batch; of one value.
        at_the_edge
            Whether it is the input or the output of the network.
        """
        edge = "dram" if self.rd_wr_on_io else "sram"
        return self._access(edge if at_the_edge else self.activations, size(shape) * bits)

    def _access(self, memory: str, bits: int) -> float:
        table = PROCESSES[self.process]
        words = math.ceil(bits / SRAM_WORD_BITS)
        # NumPy's logarithm, as QTools takes it: Python's differs in the last bit.
        capacity = float(np.log2(max(bits, self.min_sram_size_bits)))
        sram = words * evaluate(table["sram"], capacity)
        if memory == "sram":
            return sram
        if memory == "dram":  # with an SRAM in between, where input and output are in DRAM
            return evaluate(table["dram"], bits) + (sram if self.rd_wr_on_io else 0.0)
        return 0.0
