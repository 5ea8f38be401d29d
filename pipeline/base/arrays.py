"""Names for the numpy arrays of signatures; shapes and units are in the docstrings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Real = F32 | F64
