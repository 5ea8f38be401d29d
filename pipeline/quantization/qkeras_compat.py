"""QKeras 0.9.0 on Keras 2.15: the two repairs it needs here, and the classes used.

QKeras' recurrent cells call ``nest.is_sequence``, which TensorFlow 2.15 has
renamed to ``is_nested``, and its GRU with `reset_after` ``array_ops.unstack``,
which has moved. Everything else of QKeras that Keras 2.15 broke
(rebuilding models from JSON) is not used by this project: networks are built
layer by layer and weights travel as plain arrays.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow.python.ops import array_ops
from tensorflow.python.util import nest

if not hasattr(nest, "is_sequence"):
    nest.is_sequence = nest.is_nested
if not hasattr(array_ops, "unstack"):
    array_ops.unstack = tf.unstack

import qkeras

QActivation = qkeras.QActivation
QDense = qkeras.QDense
RECURRENT_LAYERS: dict[str, Any] = {
    "SimpleRNN": qkeras.QSimpleRNN,
    "LSTM": qkeras.QLSTM,
    "GRU": qkeras.QGRU,
}


def quantizer_class(name: str) -> Any:
    """Return a QKeras quantiser class by name."""
    return getattr(qkeras.quantizers, name)
