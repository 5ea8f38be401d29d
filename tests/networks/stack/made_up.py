"""Small data, weights and formats for the tests of a stack."""

from __future__ import annotations

import numpy as np

from pipeline.base.architecture import Architecture
from pipeline.networks.stack.formats import NetworkFormats, ValueFormat, WeightFormat, WeightKind
from pipeline.networks.stack.stack import Stack, Weights, Windows, lanes

FLOAT = NetworkFormats()
COARSE = NetworkFormats(
    kernel=WeightFormat(WeightKind.BINARY_AUTO_PO2),
    recurrent_kernel=WeightFormat(WeightKind.AUTO_PO2, high=7),
    bias=WeightFormat(WeightKind.FIXED, step=2**-9, low=-512, high=511),
    state=ValueFormat(True, 2**-8, 0, 255 / 256, 0, 255 / 256),
)
N = lanes()
SEEDS = list(range(100, 100 + N))


def weights_of(units: int, seed: int, size: float = 0.5) -> Weights:
    """Random weights of units that answer: of dead ones none would move."""
    rng = np.random.default_rng(seed)
    shapes = Architecture("SimpleRNN", units, 3).weight_shapes
    weights = {n: rng.normal(0, size, shape).astype(np.float32) for n, shape in shapes.items()}
    for name in ("rnn/kernel", "dense/kernel"):
        weights[name] = np.abs(weights[name])
    return weights | {"dense/bias": np.array([0.1], np.float32)}


def windows(count: int = 700, length: int = 3, target: int = 1) -> Windows:
    """A sequence whose truth a small network can learn."""
    rng = np.random.default_rng(count)
    samples = np.abs(rng.normal(0, 0.3, count + length)).astype(np.float32)
    truth = np.convolve(samples, [0.5, 0.3], "same").astype(np.float32)
    return Windows(samples, truth, length, target)


def trained(stack: Stack, data: Windows, epochs: int = 3, rate: float = 0.01, batch: int = 32):
    """Train all lanes alike; return the losses of the last epoch."""
    for epoch in range(epochs):
        seeds = [seed + 1000 * epoch for seed in SEEDS]
        loss = stack.train_epoch(data, batch, [rate] * N, seeds)
    return loss


def same(one: Weights, other: Weights) -> None:
    """Compare two networks' weights to the last bit."""
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
