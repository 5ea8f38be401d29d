"""Starts as lanes: each follows Keras' callbacks, dead and late ones end, the best counts."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.networks import starts
from pipeline.networks.fitting import WindowData
from pipeline.networks.float_network import get_weights
from pipeline.networks.runtime import make_strategy
from pipeline.networks.stack.stack import lanes
from pipeline.networks.starts import PlateauRecipe, new_weights
from pipeline.networks.training import TrainingError, plateau_callbacks, train_float
from tests.networks.sequences import (
    as_arrays,
    dead_network,
    echo_data,
    echo_network,
    train_params,
)

N = lanes()
CPU = make_strategy("cpu")
TRAIN, VALIDATION, TEST = (echo_data(n, seed=n) for n in (60, 40, 50))
NONE_DEAD = np.full(N, False)


def followed(params, losses):
    """Put losses (epochs, lanes) through a recipe; return rates and whether lanes train on."""
    recipe = PlateauRecipe(params, lambda _: NONE_DEAD)
    best, rates, running = np.full(N, np.inf), [], [np.full(N, True)]
    for epoch, loss in enumerate(losses):
        rates.append(recipe.rates(epoch))
        improved = running[-1] & (loss < best)
        best = np.where(improved, loss, best)
        running.append(running[-1] & recipe.still_on(epoch, loss, improved))
    return np.array(rates), np.array(running[1:])


def followed_by_keras(params, losses):
    model = tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(1,))])
    model.compile(tf.keras.optimizers.Adam(params.learning_rate))
    callbacks = tf.keras.callbacks.CallbackList(plateau_callbacks(params), model=model)
    model.stop_training, rates = False, []
    callbacks.on_train_begin()
    for epoch, loss in enumerate(losses):
        rates.append(float(model.optimizer.learning_rate.numpy()))
        callbacks.on_epoch_end(epoch, {"val_loss": loss})
        if model.stop_training:
            break
    return rates


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("patience", [(0, 0), (1, 3), (2, 5), (3, 2)])
def test_each_lane_is_what_keras_callbacks_make_of_its_losses(seed, patience):
    lower, stop = patience
    params = train_params(
        seeds=N, reduce_lr_patience=lower, early_stopping_patience=stop, min_delta=0.02,
        learning_rate=0.01, min_learning_rate=0.0007,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    losses = np.exp(-np.arange(40)[:, np.newaxis] / rng.uniform(3, 30, N))
    losses += rng.normal(0, 0.03, losses.shape)
    losses -= losses.min(axis=0)  # so that no lane is behind one that has ended
    for lane in range(N):
        alone = np.tile(losses[:, lane : lane + 1], N)
        rates, running = followed(params, alone)
        expected = followed_by_keras(params, losses[:, lane])
        ends = len(expected)
        np.testing.assert_allclose(rates[:ends, 0], expected, rtol=1e-6)
        assert running[:, 0].tolist() == [True] * (ends - 1) + [False] * (
            len(losses) - ends + 1
        ) or (ends == len(losses))


def test_a_start_ends_that_is_behind_one_at_its_plateau():
    params = train_params(seeds=N, early_stopping_patience=2)
    losses = np.linspace(9, 5, 8)[:, np.newaxis] + np.zeros(N)
    losses[:, 0] = [6, 5, 4, 4.5, 4.2, 4, 4, 4]  # at its plateau after 5 epochs
    losses[:, 1] = np.linspace(6, 1, 8)  # ahead of it by then
    _, running = followed(params, losses)
    assert running[:, 0].tolist() == [True] * 4 + [False] * 4
    assert running[:, 1].all()
    assert running[:, 2:].sum(axis=0).tolist() == [4] * (N - 2)


def test_only_the_seeds_asked_for_count():
    _, running = followed(train_params(seeds=3), np.ones((1, N)))
    assert running[0].tolist() == [True] * 3 + [False] * (N - 3)


def test_weights_are_keras_own_for_each_seed():
    form = Architecture("SimpleRNN", 4, 3)
    first, other, again = new_weights(form, [1, 2, 1])
    for name, tensor in first.items():
        np.testing.assert_array_equal(tensor, again[name])
    assert not np.array_equal(first["rnn/kernel"], other["rnn/kernel"])
    identity = first["rnn/recurrent_kernel"] @ first["rnn/recurrent_kernel"].T
    np.testing.assert_allclose(identity, np.eye(4), atol=1e-5)  # orthogonal


@pytest.fixture
def given_starts(monkeypatch):
    """Let lanes start from these networks: `dead` ones first, then one that is right."""
    drawn = []

    def install(dead: int):
        def weights(architecture, seeds):
            drawn.append(list(seeds))
            form = architecture.units, architecture.window_length
            wrong, right = (get_weights(make(*form)) for make in (dead_network, echo_network))
            return [wrong] * dead + [right] * (N - dead)

        monkeypatch.setattr(starts, "new_weights", weights)
        return drawn

    return install


@pytest.mark.parametrize("dead", [0, 3, 7])
def test_the_best_start_that_is_alive_is_the_network(given_starts, dead):
    given_starts(dead)
    params = train_params(seeds=N, epochs=2, learning_rate=1e-5)
    trained = train_float(params, CPU, TRAIN, VALIDATION, TEST)
    assert [start.dead for start in trained.starts] == [True] * dead + [False] * (N - dead)
    assert [start.fit.epochs for start in trained.starts] == [1] * dead + [2] * (N - dead)
    assert trained.restarts == 0
    assert trained.validation_loss < 1e-6
    best = min(start.validation_loss for start in trained.starts if not start.dead)
    assert trained.validation_loss == pytest.approx(best, rel=1e-3)
    np.testing.assert_allclose(trained.test_output, as_arrays(TEST)[1][:, 0], atol=1e-3)


def test_new_seeds_are_drawn_while_all_are_dead(given_starts):
    drawn = given_starts(N)
    params = train_params(seeds=2, max_restarts=2, epochs=3)
    with pytest.raises(TrainingError, match=r"train\.max_restarts: 3 seeds from 5 on all gave"):
        train_float(params, CPU, TRAIN, VALIDATION, TEST)
    assert [seeds[0] for seeds in drawn] == [5, 6, 7]
    assert len({seed for seeds in drawn for seed in seeds}) == 3 * N


def test_a_constant_among_the_seeds_that_do_not_count_is_nothing(given_starts):
    drawn = given_starts(7)  # only the last lane lives, and it is not asked for
    with pytest.raises(TrainingError, match="all gave a dead network"):
        train_float(train_params(seeds=7, max_restarts=0), CPU, TRAIN, VALIDATION, TEST)
    assert len(drawn) == 1


def test_a_loss_that_is_never_finite_names_the_rate():
    huge = WindowData(TRAIN.samples, TRAIN.truth * 1e30, 3, 1)
    with pytest.raises(TrainingError, match=r"train\.learning_rate: 0\.001: .*not finite"):
        train_float(train_params(seeds=N), CPU, huge, VALIDATION, TEST)


def test_the_same_seed_gives_the_same_bytes():
    params = train_params(seeds=N, epochs=3, learning_rate=0.01)
    one, other = (train_float(params, CPU, TRAIN, VALIDATION, TEST) for _ in range(2))
    for name, tensor in one.weights.items():
        np.testing.assert_array_equal(tensor, other.weights[name])
    assert [start.fit for start in one.starts] == [start.fit for start in other.starts]
