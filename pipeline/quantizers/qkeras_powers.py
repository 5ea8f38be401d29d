"""QKeras' quantizers to powers of two with given exponents and exact thresholds.

For activations, see `pipeline.quantizers.powers_of_two`; weights keep QKeras' own classes.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.quantizers.qkeras_compat import POWERS_OF_TWO

_Signed: Any
_Unsigned: Any
_Signed, _Unsigned = POWERS_OF_TWO
# Bits of the mantissa of numbers below 1, of which float numbers in [1/2, 1) are multiples.
_MANTISSA = {tf.float32: 24, tf.float64: 53}


def nearest_powers(magnitudes: tf.Tensor, lowest: int, highest: int) -> tf.Tensor:
    """Round numbers to powers of two, exactly.

    Parameters
    ----------
    magnitudes
        float32 or float64, any shape, not negative.
    lowest, highest
        Exponents of the smallest and the largest power. What lies beyond becomes one of them.

    Returns
    -------
    Tensor of the same shape and type. A number has the exponent k if it lies between
    ``2**(k - 1/2)`` and ``2**(k + 1/2)``, which no number meets.
    """
    bits = _MANTISSA[magnitudes.dtype]
    # The float number next above 2**-1/2; times a power of two, it is that above 2**(k - 1/2).
    above = (isqrt(1 << (2 * bits - 1)) + 1) * 2.0**-bits
    exponents = np.arange(lowest, highest + 1)
    dtype = magnitudes.dtype.as_numpy_dtype
    thresholds = np.ldexp(above, exponents[1:]).astype(dtype)
    index = tf.searchsorted(thresholds, tf.reshape(magnitudes, [-1]), side="right")
    powers = tf.gather(np.ldexp(1.0, exponents).astype(dtype), index)
    return tf.reshape(powers, tf.shape(magnitudes))


class _Exponents:
    """The exponents of a QKeras class, and how it passes a value and a gradient on."""

    qnoise_factor: Any
    use_ste: bool

    def __init__(self, lowest: int, highest: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._min_exp, self._max_exp = lowest, highest

    def _passed_on(self, smooth: tf.Tensor, quantized: tf.Tensor) -> tf.Tensor:
        """`quantized`, with the gradient of `smooth`: QKeras' two forms of it."""
        factor = self.qnoise_factor
        if self.use_ste:
            return smooth + tf.stop_gradient(factor * (quantized - smooth))
        return (1 - factor) * smooth + tf.stop_gradient(factor * quantized)


class SignedPowers(_Exponents, _Signed):  # type: ignore[misc]  # QKeras has no types
    """``quantized_po2`` of an activation: both signs, 0 is positive."""

    def __call__(self, x: Any) -> tf.Tensor:
        """Round to powers of two."""
        x = tf.convert_to_tensor(x)
        powers = nearest_powers(tf.abs(x), self._min_exp, self._max_exp)
        return self._passed_on(x, tf.where(x < 0, -powers, powers))


class UnsignedPowers(_Exponents, _Unsigned):  # type: ignore[misc]  # QKeras has no types
    """``quantized_relu_po2`` of an activation: 0 and less become the smallest power."""

    def __call__(self, x: Any) -> tf.Tensor:
        """Round to powers of two."""
        positive = tf.nn.relu(tf.convert_to_tensor(x))
        powers = nearest_powers(positive, self._min_exp, self._max_exp)
        if self.max_value is None:
            return self._passed_on(positive, powers)
        limit = tf.cast(self.max_value, positive.dtype)
        smooth = tf.where(positive <= limit, positive, limit * tf.ones_like(positive))
        return self._passed_on(smooth, powers)


ACTIVATIONS: dict[str, Any] = {
    "quantized_po2": SignedPowers,
    "quantized_relu_po2": UnsignedPowers,
}
