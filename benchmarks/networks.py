"""What both sides of a comparison train: network, quantizers, first weights, schedule."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.base.architecture import Architecture, network_shapes, quantized_tensors
from pipeline.base.arrays import F32
from pipeline.base.weights import FLOAT_WEIGHTS, load_weights
from pipeline.params import load_params
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer

BATCH = 64
LEARNING_RATE = 0.001
UNITS = 8
SCHEDULES = ("constant", "plateau", "cosine")
_WEIGHT = "quantized_bits(6,0,1,alpha='auto_po2')"
_BY_KIND = {
    "input": "quantized_bits(12,0,0,alpha=1)",
    "kernel": _WEIGHT,
    "recurrent_kernel": _WEIGHT,
    "bias": "quantized_bits(12,0,0,alpha=1)",
    "activation": "quantized_relu(8,0)",
    "state": "quantized_relu(8,0)",
}


def quantizers() -> dict[str, Quantizer]:
    """Return weights of 6 bits and a state of 8, by tensor."""
    texts = {t: _BY_KIND[t.rpartition("/")[2]] for t in quantized_tensors("SimpleRNN")}
    texts["dense/activation"] = "quantized_relu(12,0)"
    return {tensor: parse_quantizer(text, tensor) for tensor, text in texts.items()}


def first_weights(kind: str, window_length: int, seed: int) -> dict[str, F32]:
    """Return what both sides start from, by ``layer/tensor``.

    A float network starts from new weights of the seed, a quantized one from the trained
    float weights, as the stages do.
    """
    import tensorflow as tf

    from pipeline.networks.float_network import build_float_network, get_weights

    architecture = Architecture("SimpleRNN", UNITS, window_length)
    if kind == "quantized":
        return load_weights(FLOAT_WEIGHTS, architecture.weight_shapes)
    tf.keras.utils.set_random_seed(seed)
    return get_weights(build_float_network(architecture))


def made_up_weights() -> dict[str, F32]:
    """Return weights of a network that answers with more or less its last samples."""
    weights = {
        name: np.zeros(shape, np.float32)
        for name, shape in network_shapes("SimpleRNN", UNITS).items()
    }
    weights["rnn/kernel"] += 0.75
    weights["rnn/recurrent_kernel"] += np.diag(np.full(UNITS, 0.25, np.float32))
    weights["dense/kernel"] += 1 / UNITS
    return weights


def schedule(name: str, epochs: int) -> list[Any]:
    """Return the Keras callbacks that lower the learning rate.

    ``plateau`` is what the stage `train` does (and the original recipe), ``cosine`` what
    `search` and `finetune` do, over all epochs of the side that asks.
    """
    if name == "plateau":
        from pipeline.networks.training import plateau_callbacks

        return plateau_callbacks(load_params().train)[:1]  # without stopping early
    if name == "cosine":
        from pipeline.quantization.training.settings import QatSettings, cosine_decay

        return [cosine_decay(QatSettings(epochs, BATCH, LEARNING_RATE, seed=0))]
    return []
