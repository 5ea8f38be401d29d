"""``models/profile.json``: layers, tensors and energy of the chosen network."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pipeline.base.architecture import Cell
from pipeline.base.schema import Frozen

PROFILE = Path("models/profile.json")


class LayerEnergy(Frozen):
    """Energy of one layer in one inference, pJ, by part.

    Attributes
    ----------
    layer
        Its name.
    inputs, parameters, op_cost, outputs
        Reading inputs and states; reading weights; arithmetic; writing outputs and states.
    total
        What QTools counts of them.
    """

    layer: str
    inputs: float
    parameters: float
    op_cost: float
    outputs: float
    total: float


class TensorProfile(Frozen):
    """One tensor of the quantized network.

    Attributes
    ----------
    tensor
        As ``layer/tensor``, or ``input``.
    shape
        Without batch.
    quantizer, bits
        QKeras' string; bits of one value.
    lowest, highest
        Of weights, the values that there are; of input, states and activations, those of
        the fixed-point type. Scaled units.
    """

    tensor: str
    shape: list[int]
    quantizer: str
    bits: int
    lowest: float
    highest: float


class NetworkProfile(Frozen):
    """Content of ``models/profile.json``.

    Attributes
    ----------
    trial, cell, units, float_units, window_length
        Which network it is.
    reference, chosen
        Energy by layer: of the float network priced as ``energy.reference_internal``, and of
        the chosen one.
    tensors
        Of the chosen network, as it was exported.
    """

    schema_version: Literal[1] = 1
    trial: str
    cell: Cell
    units: int
    float_units: int
    window_length: int
    reference: list[LayerEnergy]
    chosen: list[LayerEnergy]
    tensors: list[TensorProfile]
