"""A network and learning curves for the tests of reports."""

from __future__ import annotations

import math

from pipeline.artifacts.profile import LayerEnergy, NetworkProfile, TensorProfile


def energy(layer: str, scale: float) -> LayerEnergy:
    """A layer whose parts are 1, 2, 3 and 4 times `scale`."""
    return LayerEnergy(
        layer=layer, inputs=scale, parameters=2 * scale, op_cost=3 * scale, outputs=4 * scale,
        total=6 * scale,
    )  # fmt: skip


def profile() -> NetworkProfile:
    """One network of two layers, of which one tensor is listed."""
    tensor = TensorProfile(
        tensor="rnn/kernel", shape=[1, 4], quantizer="quantized_bits(5,0,1,alpha=1)", bits=5,
        lowest=-0.75, highest=0.5,
    )  # fmt: skip
    return NetworkProfile(
        trial="3", cell="SimpleRNN", units=4, float_units=8, window_length=5,
        reference=[energy("rnn", 10.0), energy("dense", 2.5)],
        chosen=[energy("rnn", 4.0), energy("dense", 1.0)],
        tensors=[tensor],
    )  # fmt: skip


def plateau_curve() -> dict[str, list[float]]:
    """Forty epochs, the first far above the others; the rate is halved twice."""
    rmse = [2000.0, 110.0] + [60.0 - 0.2 * n for n in range(38)]
    return {
        "epoch": [float(n) for n in range(1, 41)],
        "train_rmse_mev": rmse,
        "validation_rmse_mev": [value + 0.5 for value in rmse],
        "learning_rate": [1e-3] * 20 + [5e-4] * 10 + [2.5e-4] * 10,
    }


def curves_of_two() -> dict[str, list[float]]:
    """Two starts: that of `plateau_curve`, and one that ended after the first epoch."""
    curve = plateau_curve()
    return {
        "start": [1.0] + [2.0] * 40,
        "epoch": [1.0, *curve["epoch"]],
        "validation_rmse_mev": [465.7, *curve["validation_rmse_mev"]],
    }


def cosine_curve(epochs: int = 60) -> dict[str, list[float]]:
    """A rate that changes in every epoch."""
    return {
        "epoch": [float(n) for n in range(1, epochs + 1)],
        "train_rmse_mev": [50 + 5 / n for n in range(1, epochs + 1)],
        "validation_rmse_mev": [51 + 5 / n for n in range(1, epochs + 1)],
        "learning_rate": [1e-3 * (1 + math.cos(math.pi * n / epochs)) for n in range(epochs)],
    }
