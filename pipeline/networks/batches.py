"""Windows in blocks of one size, so that XLA compiles one program for all of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def padded_blocks(order: NDArray[np.int32], length: int) -> Iterator[tuple[NDArray[np.int32], int]]:
    """Cut `order` into blocks of one length, so that XLA compiles one shape.

    Yields (block, valid): int32 (length,) and how many of its entries count; the
    last block is padded with window 0.
    """
    for begin in range(0, len(order), length):
        block = order[begin : begin + length]
        yield np.pad(block, (0, length - len(block))), len(block)


def weights_of_step(step: tf.Tensor, batch: int, valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return weight 1 for the windows of a step that count, 0 for padding; and their number."""
    weight = tf.cast(step * batch + tf.range(batch) < valid, tf.float32)
    return weight, tf.reduce_sum(weight)
