"""What the energy model takes from QKeras' QTools; no other module imports it."""

from __future__ import annotations

import pipeline.quantization.quantizers.qkeras_compat  # noqa: F401 (prepares TensorFlow for QKeras)

# isort: split
from qkeras import quantizers
from qkeras.qtools.config_public import config_settings
from qkeras.qtools.qenergy.qenergy import (
    OP,
    get_op_type,
    memory_read_energy,
    memory_write_energy,
)
from qkeras.qtools.quantized_operators import AccumulatorFactory, MultiplierFactory
from qkeras.qtools.quantized_operators.adder_factory import IAdder
from qkeras.qtools.quantized_operators.quantizer_factory import QuantizerFactory
from qkeras.qtools.quantized_operators.quantizer_impl import (
    FloatingPoint,
    IQuantizer,
    QuantizedBits,
)
from qkeras.qtools.settings import cfg

__all__ = [
    "OP",
    "AccumulatorFactory",
    "FloatingPoint",
    "IAdder",
    "IQuantizer",
    "MultiplierFactory",
    "QuantizedBits",
    "QuantizerFactory",
    "cfg",
    "config_settings",
    "get_op_type",
    "memory_read_energy",
    "memory_write_energy",
    "quantizers",
]
