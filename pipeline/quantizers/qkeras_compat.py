"""QKeras 0.9.0 on Keras 2.15: the repairs it needs here, and the classes used.

QKeras' recurrent cells call ``nest.is_sequence``, which TensorFlow 2.15 has
renamed to ``is_nested``, and its GRU with `reset_after` ``array_ops.unstack``,
which has moved. QKeras rounds half to even only: quantizers that round half up are made here of
its own. Everything else of QKeras that Keras 2.15 broke
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
_HALF = 0.5
POWERS_OF_TWO: tuple[Any, ...] = (qkeras.quantized_po2, qkeras.quantized_relu_po2)
RECURRENT_LAYERS: dict[str, Any] = {
    "SimpleRNN": qkeras.QSimpleRNN,
    "LSTM": qkeras.QLSTM,
    "GRU": qkeras.QGRU,
}


def quantizer_class(name: str, half_up: bool = False) -> Any:
    """Return a QKeras quantizer class by name, or the one of that name that rounds half up."""
    return _HALF_UP[name] if half_up else getattr(qkeras.quantizers, name)


def round_half_up(x: Any) -> Any:
    """Round to integers, of two that are equally near to the upper one.

    ``floor(x + 1/2)`` would round its sum: the float below 1/2 would become 1. The difference
    here is exact.
    """
    even = tf.round(x)
    return tf.where(x - even == _HALF, even + 1, even)


class _Instead:
    """A module with some of its attributes replaced."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self.__dict__.update(replaced)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _RoundsHalfUp:
    """Has ``tf.round`` replaced while QKeras' own code of a quantizer runs.

    So its bounds and its straight-through gradient stay QKeras'.
    """

    def __call__(self, x: Any) -> Any:
        module = qkeras.quantizers
        tensorflow = module.tf
        module.tf = _Instead(tensorflow, round=round_half_up)
        try:
            return super().__call__(x)  # type: ignore[misc]  # of the QKeras class behind
        finally:
            module.tf = tensorflow

    def __str__(self) -> str:
        return f"{super().__str__()[:-1]},rounding='half_up')"


class _BitsHalfUp(_RoundsHalfUp, qkeras.quantized_bits):  # type: ignore[misc]  # no types
    """``quantized_bits`` that rounds half up."""


class _ReluHalfUp(_RoundsHalfUp, qkeras.quantized_relu):  # type: ignore[misc]  # no types
    """``quantized_relu`` that rounds half up."""


_HALF_UP = {"quantized_bits": _BitsHalfUp, "quantized_relu": _ReluHalfUp}


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
