"""Arrays that start where a vector of the core may start."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_ALIGNMENT_BYTES = 64


def aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros whose first element lies at a multiple of 64 bytes."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = np.zeros(size + _ALIGNMENT_BYTES, np.uint8)
    begin = -buffer.ctypes.data % _ALIGNMENT_BYTES
    array: NDArray[Any] = buffer[begin : begin + size].view(dtype).reshape(shape)
    return array
