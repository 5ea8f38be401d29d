"""On a Dense network, where stock AutoQKeras is right, ours ranks the same trials alike."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from pipeline.quantization.energy.network import network_cost
from pipeline.quantization.search.plan.score import forgiving_delta, quality, score
from tests.quantization.energy.from_keras import describe_model
from tests.quantization.energy.qtools_networks import (
    SOURCE,
    functional,
    made,
    q_dense,
    stock,
)
from tests.quantization.energy_settings import settings

TRIALS = list(itertools.product((2, 4, 6, 8), (4, 6, 10)))
REFERENCE_MEV = 50.0


def network(kernel: int, activation: int) -> tf.keras.Model:
    weights = f"quantized_bits({kernel},0,1,alpha=1)"
    return functional(
        [
            q_dense(16, weights, f"quantized_relu({activation},0)"),
            q_dense(9, weights, f"quantized_relu({activation},0)"),
            q_dense(1, weights, f"quantized_relu({activation},0)"),
        ]
    )


def rmse_mev(kernel: int, activation: int) -> float:
    """Made up: fewer bits are worse, faster and faster."""
    return REFERENCE_MEV * (1 + 0.5 * 2.0**-kernel + 0.3 * 2.0**-activation)


@pytest.mark.slow
@pytest.mark.parametrize(("delta_p", "delta_n"), [(8.0, 8.0), (2.0, 16.0), (40.0, 1.0)])
def test_trials_of_a_dense_network_are_ranked_as_by_stock(delta_p, delta_n):
    params = settings()
    model = functional([tf.keras.layers.Dense(n, activation="relu") for n in (16, 9, 1)])
    theirs = stock(params, made(SOURCE))
    theirs.delta_p, theirs.delta_n = delta_p / 100, delta_n / 100
    theirs.get_reference(model)
    reference = network_cost(describe_model(model, SOURCE), params, "reference").total
    ours, stocks = [], []
    for trial in TRIALS:
        built = network(*trial)
        theirs.get_trial(built)
        cost = network_cost(describe_model(built, SOURCE), params).total
        delta = forgiving_delta(
            reference, cost, delta_p=delta_p, delta_n=delta_n, rate=2.0, stress=1.0
        )
        assert delta == pytest.approx(float(theirs.delta()), rel=0.03, abs=0.005)
        ours.append(score(REFERENCE_MEV, rmse_mev(*trial), delta))
        # AutoQKeras: metric * (1 + delta), here with a metric that grows with quality.
        metric = quality(REFERENCE_MEV, rmse_mev(*trial))
        stocks.append(metric * (1 + float(theirs.delta())))
    assert len(set(np.round(ours, 6))) > len(TRIALS) // 2
    assert np.argsort(ours).tolist() == np.argsort(stocks).tolist()
    assert int(np.argmax(ours)) == int(np.argmax(stocks))
