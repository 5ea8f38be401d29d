"""QKeras 0.9.0 on Keras 2.15: the repairs it needs here, and the classes used.

QKeras' recurrent cells call ``nest.is_sequence``, which TensorFlow 2.15 has
renamed to ``is_nested``, and its GRU with `reset_after` ``array_ops.unstack``,
which has moved. Everything else of QKeras that Keras 2.15 broke
(rebuilding models from JSON) is not used by this project: networks are built
layer by layer and weights travel as plain arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
POWERS_OF_TWO: tuple[Any, ...] = (qkeras.quantized_po2, qkeras.quantized_relu_po2)
RECURRENT_LAYERS: dict[str, Any] = {
    "SimpleRNN": qkeras.QSimpleRNN,
    "LSTM": qkeras.QLSTM,
    "GRU": qkeras.QGRU,
}


def quantizer_class(name: str) -> Any:
    """Return a QKeras quantizer class by name."""
    return getattr(qkeras.quantizers, name)


class _Instead:
    """A module with some of its attributes replaced."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self.__dict__.update(replaced)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


@contextmanager
def quantizers_in_double_precision() -> Iterator[None]:
    """Let QKeras' quantizers compute in float64 while inside.

    ``quantized_relu`` and others cast to float32 by name, whatever ``floatx`` is, and would
    round a sum before they quantize it.
    """
    module = qkeras.quantizers
    keras_backend, tensorflow = module.K, module.tf

    def cast(x: Any, dtype: str) -> Any:
        return keras_backend.cast(x, "float64" if dtype == "float32" else dtype)

    module.K = _Instead(keras_backend, cast=cast)
    module.tf = _Instead(tensorflow, float32=tensorflow.float64)
    try:
        yield
    finally:
        module.K, module.tf = keras_backend, tensorflow
