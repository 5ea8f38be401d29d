"""Sets of quantizers, weights and windows for the tests of the quantized network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.base.architecture import Architecture, quantized_tensors
from pipeline.base.arrays import F32
from pipeline.integers.network import IntegerNetwork
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer

INPUT_TEXT = "quantized_bits(12,0,0,alpha=1)"
_BIAS = "quantized_bits(10,0,0,alpha=1)"
_FIXED = "quantized_bits({},0,0,alpha=1)"

# What hls4ml's templates of an LSTM or a GRU can follow.
GATED = {
    "rnn/activation": "quantized_tanh(13,use_real_tanh=1)",
    "rnn/recurrent_activation": "quantized_sigmoid(12,use_real_sigmoid=1)",
    "rnn/state": "quantized_bits(14,1,0,alpha=1)",
}

# kernels, biases, activations, state
SETS: dict[str, tuple[str, str, str, str]] = {
    "4 bits": (_FIXED.format(4), "quantized_bits(6,0,0,alpha=1)", "quantized_relu(6,0)",
               "quantized_relu(5,0)"),
    "6 bits": (_FIXED.format(6), _BIAS, "quantized_relu(8,0)", "quantized_relu(6,0)"),
    "8 bits": (_FIXED.format(8), _BIAS, "quantized_relu(10,0)", "quantized_relu(8,0)"),
    "auto_po2": ("quantized_bits(5,0,1,alpha='auto_po2')", _BIAS, "quantized_relu(9,0)",
                 "quantized_relu(8,0)"),
    "powers of two": ("quantized_po2(4,1)", _BIAS, "quantized_relu(9,0)", "quantized_relu(8,0)"),
    "ternary": ("ternary(alpha=0.5)", _BIAS, "quantized_relu(9,0)", "quantized_relu(8,0)"),
    "signs": ("binary(alpha='auto_po2')", _BIAS, "quantized_relu(9,0)", "quantized_relu(8,0)"),
    "signed": (_FIXED.format(6), _BIAS, "quantized_bits(9,0,0,alpha=1)",
               "quantized_bits(8,0,0,alpha=1)"),
    "half up": (_FIXED.format(6), _BIAS, "quantized_relu(9,0,rounding='half_up')",
                "quantized_relu(7,0,rounding='half_up')"),
    "half up, once": (_FIXED.format(6), _BIAS, "quantized_relu(8,0,rounding='half_up')",
                      "quantized_relu(8,0,rounding='half_up')"),
    "half up, signed": (_FIXED.format(6), _BIAS, "quantized_bits(9,0,0,alpha=1,rounding='half_up')",
                        "quantized_bits(8,0,0,alpha=1,rounding='half_up')"),
}  # fmt: skip


def quantizer_set(name: str, cell: str = "SimpleRNN", **changed: str) -> dict[str, Quantizer]:
    """One of `SETS` as quantizers by tensor; `changed` by tensor with ``_`` for ``/``."""
    kernel, bias, activation, state = SETS[name]
    by_kind = {
        "input": INPUT_TEXT,
        "kernel": kernel,
        "recurrent_kernel": kernel,
        "bias": bias,
        "activation": activation,
        "recurrent_activation": GATED["rnn/recurrent_activation"],
        "state": state,
    }
    texts = {tensor: by_kind[tensor.split("/")[-1]] for tensor in quantized_tensors(cell)}
    if cell != "SimpleRNN":
        texts |= GATED
    for tensor in texts:
        texts[tensor] = changed.get(tensor.replace("/", "_"), texts[tensor])
    return {tensor: parse_quantizer(text, tensor) for tensor, text in texts.items()}


def random_weights(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, F32]:
    """Weights that make a live network: outputs are mostly neither 0 nor saturated."""
    rng = np.random.default_rng(seed)
    spread = {"kernel": 0.6, "recurrent_kernel": 0.35, "bias": 0.05}
    weights = {
        name: rng.normal(0, spread[name.split("/")[1]], shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    for tensor in ("dense/kernel", "dense/bias"):
        weights[tensor] = np.abs(weights[tensor])
    return weights


def random_windows(n: int, length: int = 5, seed: int = 1) -> F32:
    """Scaled windows (n, length): ordinary samples, tiny ones, and beyond the input's range."""
    rng = np.random.default_rng(seed)
    windows = rng.normal(0, 0.3, (n, length))
    windows[::7] *= 0.01
    windows[3::11] *= 50
    return windows.astype(np.float32)


def frozen_network(
    texts: Mapping[str, str], units: int, length: int
) -> tuple[Any, dict[str, Quantizer], dict[str, F32], IntegerNetwork]:
    """A SimpleRNN with random weights on their grids: model, quantizers, weights, integers."""
    import tensorflow as tf

    from pipeline.networks.float_network import get_weights, named_variables
    from pipeline.quantization.finetuning.export import to_integer_network
    from pipeline.quantization.training.network import build_quantized_network, freeze

    quantizers = {tensor: parse_quantizer(text, tensor) for tensor, text in texts.items()}
    tf.keras.utils.set_random_seed(3)
    architecture = Architecture("SimpleRNN", units, length)
    model = build_quantized_network(architecture, quantizers)
    variables = named_variables(model)
    variables["dense/kernel"].assign(tf.abs(variables["dense/kernel"]))
    for tensor in ("rnn/bias", "dense/bias"):
        variables[tensor].assign(tf.random.normal(variables[tensor].shape, 0, 0.05))
    freeze(model)
    weights = get_weights(model)
    network = to_integer_network(architecture, weights, quantizers, 16.0)
    return model, quantizers, weights, network
