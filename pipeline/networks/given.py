"""A float network that was trained elsewhere: what the fit would have said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32
from pipeline.base.errors import say
from pipeline.networks.fitting import FitResult, WindowData, WindowFitter, rmse_mev
from pipeline.networks.float_network import build_float_network, get_weights, set_weights
from pipeline.networks.training import TrainedNetwork


def take_given(
    architecture: Architecture,
    weights: Mapping[str, F32],
    strategy: Any,
    train: WindowData,
    validation: WindowData,
    test: WindowData,
) -> tuple[TrainedNetwork, dict[str, list[float]]]:
    """Evaluate given weights in place of a fit; doubt them where a constant would be better.

    Parameters
    ----------
    architecture
        Of the network.
    weights
        float32, by ``layer/tensor``.
    strategy
        As `make_strategy` returned it.
    train, validation, test
        The three splits.

    Returns
    -------
    network, curve
        A network of no epoch and no restart, and columns like those of `FitResult.table` with
        one row, epoch 0: the errors before any step. Its learning rate is 0.
    """
    with strategy.scope():
        model = build_float_network(architecture)
        optimizer = tf.keras.optimizers.Adam()
    set_weights(model, weights)
    fitter = WindowFitter(model, optimizer, strategy)
    network = TrainedNetwork(
        weights=get_weights(model),
        fit=FitResult(),
        restarts=0,
        validation_loss=fitter.mean_squared_error(validation),
        test_output=fitter.predict(test),
    )
    _doubt_scale(network.validation_loss, validation)
    et_scale_gev = validation.et_scale_gev
    curve = {
        "epoch": [0.0],
        "train_rmse_mev": [rmse_mev(fitter.mean_squared_error(train), et_scale_gev)],
        "validation_rmse_mev": [rmse_mev(network.validation_loss, et_scale_gev)],
        "learning_rate": [0.0],
    }
    return network, curve


def _doubt_scale(loss: float, validation: WindowData) -> None:
    """Say on stderr if the network is worse than a constant: it may be of another scale."""
    variance = float(np.var(validation.truth.numpy()))
    et_scale_gev = validation.et_scale_gev
    if not loss <= variance:
        say(
            f"train: train.weights: RMSE {rmse_mev(loss, et_scale_gev):.1f} MeV, above the "
            f"spread of the truth, {rmse_mev(variance, et_scale_gev):.1f} MeV: was the network "
            "trained with another prepare.et_scale_gev, or with another prepare.target_lag?",
        )
