"""Float networks as Keras itself writes them, in every format that it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.arrays import F32

FORMATS = ("model.h5", "old.h5", "model.weights.h5", "model.keras")
LENGTH, UNITS = 3, 4


def keras_model(cell: str = "SimpleRNN", units: int = UNITS, **options: Any) -> tf.keras.Model:
    """Build the notebook's network, with names and numbers of its own."""
    given = {"activation": "relu"} if cell == "SimpleRNN" else {}
    layer = getattr(tf.keras.layers, cell)(units, name="my_cell", **given | options)
    dense = tf.keras.layers.Dense(1, activation="relu", name="answer")
    model = tf.keras.Sequential([tf.keras.Input((LENGTH, 1)), layer, dense])
    random = np.random.default_rng(3)
    model.set_weights([random.uniform(-0.5, 0.5, w.shape) for w in model.get_weights()])
    return model


def save(model: tf.keras.Model, path: Path) -> Path:
    """Save a model: ``old.h5`` and ``.weights.h5`` are weights, the others whole models."""
    if path.name == "old.h5" or path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return path


def tensors(model: tf.keras.Model) -> dict[str, F32]:
    """Return the weights by the names of this pipeline."""
    names = ("rnn/kernel", "rnn/recurrent_kernel", "rnn/bias", "dense/kernel", "dense/bias")
    return dict(zip(names, model.get_weights(), strict=True))
