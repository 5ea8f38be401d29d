"""What the stock recipes share: windows as arrays in memory, as Keras' `fit` takes them."""

from __future__ import annotations

import numpy as np

from pipeline.base.arrays import F32
from pipeline.samples.prepared import Split


def materialise(split: Split, n_windows: int | None = None) -> tuple[F32, F32]:
    """Return scaled inputs (n, L, 1) and targets (n, 1), float32; all windows or the first."""
    x = np.ascontiguousarray(split.windows(split.scaled_samples())[:n_windows])
    y = np.array(split.targets(split.scaled_truth())[:n_windows])
    return x[..., np.newaxis], y[:, np.newaxis]
