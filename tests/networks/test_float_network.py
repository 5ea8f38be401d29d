from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.networks.float_network import (
    build_float_network,
    get_weights,
    named_variables,
    set_weights,
)
from pipeline.networks.runtime import seed_everything
from tests.networks.sequences import lively_network, weight_shapes

CELLS = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def inputs(length: int = 5) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.5, 1, (20, length, 1)).astype(np.float32)


@pytest.mark.parametrize(("cell", "gates"), CELLS.items())
def test_names_and_shapes(cell, gates):
    architecture = Architecture(cell, 8, 5)
    assert weight_shapes(build_float_network(architecture)) == architecture.weight_shapes
    assert architecture.weight_shapes == {
        "rnn/kernel": (1, 8 * gates),
        "rnn/recurrent_kernel": (8, 8 * gates),
        "rnn/bias": (2, 8 * gates) if cell == "GRU" else (8 * gates,),
        "dense/kernel": (8, 1),
        "dense/bias": (1,),
    }


def test_the_default_network_has_89_parameters():
    model = build_float_network(Architecture("SimpleRNN", 8, 5))
    assert model.count_params() == 89
    assert sum(weight.size for weight in get_weights(model).values()) == 89
    assert model.input_shape == (None, 5, 1)
    assert model.output_shape == (None, 1)
    assert [layer.name for layer in model.layers[1:]] == ["rnn", "dense"]


@pytest.mark.parametrize("cell", CELLS)
def test_unrolling_changes_nothing(cell):
    model = lively_network(cell)
    options = {"SimpleRNN": {"activation": "relu"}, "GRU": {"reset_after": True}}.get(cell, {})
    rolled = tf.keras.Sequential(
        [
            getattr(tf.keras.layers, cell)(4, unroll=False, **options),
            tf.keras.layers.Dense(1, activation="relu"),
        ]
    )
    rolled.build((None, 5, 1))
    rolled.set_weights(model.get_weights())
    got = model(inputs()).numpy()
    assert np.ptp(got) > 0.01
    np.testing.assert_allclose(got, rolled(inputs()).numpy(), rtol=1e-5, atol=1e-6)


def test_simple_rnn_is_the_written_recursion():
    model = lively_network(length=7)
    w = get_weights(model)
    state = np.zeros((20, 4))
    for step in range(7):
        sums = inputs(7)[:, step] @ w["rnn/kernel"] + state @ w["rnn/recurrent_kernel"]
        state = np.maximum(sums + w["rnn/bias"], 0)
    wanted = np.maximum(state @ w["dense/kernel"] + w["dense/bias"], 0)
    np.testing.assert_allclose(model(inputs(7)).numpy(), wanted, rtol=1e-5)


def test_weights_move_from_one_network_to_another():
    source = lively_network()
    target = build_float_network(Architecture("SimpleRNN", 4, 5))
    assert not np.array_equal(source(inputs()), target(inputs()))
    set_weights(target, get_weights(source))
    np.testing.assert_array_equal(source(inputs()), target(inputs()))
    assert weight_shapes(target) == {name: w.shape for name, w in get_weights(source).items()}


def test_weights_are_copies():
    model = lively_network()
    before = get_weights(model)
    for variable in named_variables(model).values():
        variable.assign_add(tf.ones_like(variable))
    for name, weight in get_weights(model).items():
        np.testing.assert_allclose(weight, before[name] + 1, rtol=1e-6)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_of_another_network_are_refused(change):
    model = lively_network()
    weights = get_weights(model)
    if change == "missing":
        del weights["rnn/bias"]
    elif change == "extra":
        weights["rnn/gate"] = weights["rnn/bias"]
    else:
        weights["rnn/kernel"] = weights["rnn/kernel"].T
    with pytest.raises(ValueError, match=r"expected tensors \[.*\], found \[|[Ss]hape"):
        set_weights(model, weights)


def test_a_seed_gives_the_same_initial_weights():
    first, again, other = (seeded(seed) for seed in (1, 1, 2))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["rnn/kernel"], other["rnn/kernel"])


def seeded(seed: int) -> dict[str, np.ndarray]:
    seed_everything(seed)
    return get_weights(build_float_network(Architecture("SimpleRNN", 8, 5)))
