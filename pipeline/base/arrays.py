"""Names for the numpy arrays of signatures, and the root mean square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Real = F32 | F64


def root_mean_square(values: F64) -> float:
    """Root of the mean square of float64 values, in their unit; any shape, not empty."""
    return float(np.sqrt(np.mean(np.square(values))))
