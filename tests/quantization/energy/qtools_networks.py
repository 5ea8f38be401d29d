"""Dense QKeras networks as stock QTools prices them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from qkeras import QDense
from qkeras.autoqkeras.forgiving_metrics.forgiving_energy import ForgivingFactorPower

from pipeline.params.energy import EnergyParams
from pipeline.quantizers.quantizer import parse_quantizer

FEATURES = 7
SOURCE = "quantized_bits(12,3,1)"
Layers = list[tf.keras.layers.Layer]


def made(quantizer: str | None) -> Any:
    if quantizer is None or "(" not in quantizer:
        return quantizer
    return parse_quantizer(quantizer, "test").build()


def q_dense(units: int, kernel: str, activation: str | None = None, **options: Any) -> QDense:
    bias = options.pop("bias", "quantized_bits(6,2,1)")
    return QDense(
        units,
        kernel_quantizer=made(kernel),
        bias_quantizer=made(bias),
        activation=made(activation),
        kernel_initializer="zeros",
        **options,
    )


def functional(layers: Layers) -> tf.keras.Model:
    inputs = tf.keras.Input((FEATURES,))
    tensor = inputs
    for layer in layers:
        tensor = layer(tensor)
    return tf.keras.Model(inputs, tensor)


def stock(params: EnergyParams, source: Any) -> ForgivingFactorPower:
    return ForgivingFactorPower(
        8.0,
        8.0,
        2.0,
        process=params.process,
        parameters_on_memory=params.parameters_on_memory,
        activations_on_memory=params.activations_on_memory,
        min_sram_size=params.min_sram_size_bits,
        rd_wr_on_io=params.rd_wr_on_io,
        source_quantizers=[source],
        reference_internal=params.reference_internal,
        reference_accumulator=params.reference_accumulator,
    )
