"""What the stock recipes share: windows as arrays in memory, as Keras' `fit` takes them."""

from __future__ import annotations

import numpy as np

from pipeline.base.arrays import F32
from pipeline.samples.prepared import Split
from pipeline.samples.windows import targets, windows


def materialise(split: Split, n_windows: int | None = None) -> tuple[F32, F32]:
    """Return scaled inputs (n, L, 1) and targets (n, 1), float32; all windows or the first."""
    scale = np.float32(split.et_scale_gev)
    x = np.ascontiguousarray(windows(split.dig_et_gev, split.window_length)[:n_windows]) / scale
    y = np.array(targets(split.hit_et_gev, split.window_length, split.target_lag)[:n_windows])
    return x[..., np.newaxis], (y / scale)[:, np.newaxis]
