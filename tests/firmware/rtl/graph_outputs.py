"""Integer windows for a network, and what da4ml's interpreter makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.base.arrays import I64
from pipeline.firmware.rtl.shift_adds import adder_graph
from pipeline.integers.network import IntegerNetwork


def random_integers(network: IntegerNetwork, n: int = 300) -> I64:
    """Windows of samples, half of them small, and the extremes of the type."""
    rng = np.random.default_rng(1)
    low, high = network.input.minimum, network.input.maximum
    shape = (n, network.window_length)
    small = rng.integers(low // 20, high // 20 + 1, shape)
    windows = np.where(rng.random(shape) < 0.5, rng.integers(low, high + 1, shape), small)
    windows[0], windows[1] = low, high
    return windows.astype(np.int64)


def outputs(network: IntegerNetwork, windows: I64) -> np.ndarray[Any, Any]:
    """What da4ml's interpreter gives, in steps of the output type."""
    predicted = adder_graph(network, 2).logic.predict(windows.astype(np.float64))
    return np.asarray(predicted).reshape(len(windows))
