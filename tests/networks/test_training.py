"""The recipe around a fit: restarts of dead networks, plateau, best weights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.networks import training
from pipeline.networks.fitting import Schedule, WindowData
from pipeline.networks.float_network import (
    build_float_network,
    get_weights,
    named_variables,
    set_weights,
)
from pipeline.networks.runtime import make_strategy
from pipeline.networks.training import (
    KeepBest,
    TrainingError,
    plateau_callbacks,
    train_float,
)
from tests.networks.sequences import (
    as_arrays,
    dead_network,
    echo_data,
    echo_network,
    fitter_of,
    train_params,
)

STRATEGY = make_strategy("auto")
TRAIN, VALIDATION, TEST = (echo_data(n, seed=n) for n in (60, 40, 50))


@pytest.fixture(autouse=True)
def without_a_stack(monkeypatch):
    """Train with Keras, as on a GPU; tests/networks/test_starts.py has the other way."""
    monkeypatch.setattr(training, "runs_on_one_cpu", lambda _: False)


@pytest.fixture
def dead_at_first(monkeypatch):
    """Make the first networks dead and later ones perfect; return the seeds they got."""
    seeds = []

    def install(n_dead: int) -> list[int]:
        def build(architecture):
            make = dead_network if len(seeds) <= n_dead else echo_network
            return make(architecture.units, architecture.window_length)

        seed_everything = training.seed_everything

        def seed(value):
            seeds.append(value)
            seed_everything(value)

        monkeypatch.setattr(training, "build_float_network", build)
        monkeypatch.setattr(training, "seed_everything", seed)
        return seeds

    return install


@pytest.mark.slow
@pytest.mark.parametrize("n_dead", [0, 2])
def test_dead_networks_start_again_from_the_next_seed(dead_at_first, n_dead):
    seeds = dead_at_first(n_dead)
    params = train_params(max_restarts=2, epochs=2, learning_rate=1e-5)
    trained = train_float(params, STRATEGY, TRAIN, VALIDATION, TEST)
    assert trained.restarts == n_dead
    assert seeds == list(range(5, 6 + n_dead))
    assert trained.fit.epochs == 2
    assert trained.validation_loss < 1e-6
    np.testing.assert_allclose(trained.test_output, as_arrays(TEST)[1][:, 0], atol=1e-3)


def test_too_many_dead_networks_are_an_error(dead_at_first):
    seeds = dead_at_first(99)
    with pytest.raises(TrainingError, match=r"train\.max_restarts: 2 seeds from 5 on all gave"):
        train_float(train_params(max_restarts=1), STRATEGY, TRAIN, VALIDATION, TEST)
    assert seeds == [5, 6]


def test_a_loss_that_is_not_finite_names_the_rate(dead_at_first):
    dead_at_first(0)
    huge = WindowData(TRAIN.samples, TRAIN.truth * 1e30, 3, 1)
    with pytest.raises(TrainingError, match=r"train\.learning_rate: 0\.001: .*not finite"):
        train_float(train_params(), STRATEGY, huge, VALIDATION, TEST)


@pytest.mark.parametrize(("losses", "best"), [([3, 1, 2], 1), ([1, 1, 2], 0), ([3, 2, 1], 2)])
def test_keep_best_restores_the_best_epoch(losses, best):
    model = build_float_network(Architecture("SimpleRNN", 2, 2))
    keep = KeepBest()
    keep.set_model(model)
    for epoch, loss in enumerate(losses):
        fill(model, epoch)
        keep.on_epoch_end(epoch, {"val_loss": loss})
    keep.on_train_end()
    assert all(np.all(weight == best) for weight in get_weights(model).values())


def test_keep_best_without_an_epoch_changes_nothing():
    model = build_float_network(Architecture("SimpleRNN", 2, 2))
    fill(model, 7)
    keep = KeepBest()
    keep.set_model(model)
    keep.on_train_end()
    assert all(np.all(weight == 7) for weight in get_weights(model).values())


def fill(model, value):
    set_weights(
        model, {n: np.full(v.shape, value, "f4") for n, v in named_variables(model).items()}
    )


def test_a_plateau_lowers_the_rate_and_then_ends_the_fit():
    params = train_params(
        learning_rate=0.008,
        reduce_lr_patience=2,
        early_stopping_patience=8,
        min_learning_rate=0.0015,
    )
    fitter = fitter_of(dead_network(2, 3), tf.keras.optimizers.Adam(params.learning_rate))
    result = fitter.fit(
        TRAIN,
        VALIDATION,
        Schedule(30, 16, 0),
        callbacks=plateau_callbacks(params),
    )
    assert len(set(result.validation_loss)) == 1
    rates = [0.008] * 3 + [0.004] * 2 + [0.002] * 2 + [0.0015] * 2
    assert result.learning_rate == pytest.approx(rates)


class DieAfterTwoEpochs(tf.keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            set_weights(self.model, get_weights(dead_network(4, 3)))


def test_the_result_is_that_of_the_best_epoch(dead_at_first, monkeypatch):
    dead_at_first(0)
    monkeypatch.setattr(
        training, "plateau_callbacks", lambda p: [*plateau_callbacks(p), DieAfterTwoEpochs()]
    )
    trained = train_float(train_params(learning_rate=1e-5), STRATEGY, TRAIN, VALIDATION, TEST)
    losses = trained.fit.validation_loss
    assert len(losses) == 3
    assert losses[2] > 0.1
    assert trained.validation_loss == pytest.approx(min(losses), rel=1e-6)
    assert trained.validation_loss < 1e-6
    model = build_float_network(Architecture("SimpleRNN", 4, 3))
    set_weights(model, trained.weights)
    outputs = model.predict(as_arrays(TEST)[0], verbose=0)[:, 0]
    np.testing.assert_allclose(trained.test_output, outputs, rtol=1e-5, atol=1e-6)
