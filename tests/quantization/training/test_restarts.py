"""Dead networks start again, and trainings that no longer improve stop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.base.architecture import Architecture
from pipeline.networks.fitting import FitResult
from pipeline.networks.runtime import make_strategy
from pipeline.networks.training import KeepBest
from pipeline.quantization.training.result import QatResult
from pipeline.quantization.training.settings import QatSettings, seed_after
from pipeline.quantization.training.trainer import MOST_RESTARTS, QatTrainer
from tests.networks.sequences import echo_data
from tests.quantization.quantizer_sets import quantizer_set

SETTINGS = QatSettings(epochs=6, batch_size=32, learning_rate=0.02, seed=5)


@pytest.fixture
def trainer():
    data = echo_data(400, 3), echo_data(200, 3, seed=1)
    return QatTrainer(Architecture("SimpleRNN", 3, 3), *data, make_strategy("auto"))


def dies(trainer, monkeypatch, times: int, epochs: int = 1) -> list[QatSettings]:
    """Let the first trainings be dead; return what was trained."""
    trained = []

    def fit(quantizers, initial, settings, description, checkpoint):
        trained.append(settings)
        return QatResult({}, 1.0, FitResult([1.0] * epochs), dead=len(trained) <= times)

    monkeypatch.setattr(trainer, "_fit", fit)
    return trained


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_dead_network_of_random_weights_gets_new_seeds(trainer, monkeypatch, capsys, times):
    trained = dies(trainer, monkeypatch, times)
    result = trainer.fit({}, None, SETTINGS, "trial 3")
    assert not result.dead
    assert result.restarts == times
    seeds = [settings.drawn_seed for settings in trained]
    assert seeds == [seed_after(5, number) for number in range(times + 1)]
    assert len(set(seeds)) == times + 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == times
    assert all(line.startswith("trial 3: dead after one epoch (the output is") for line in lines)


def test_new_seeds_are_bounded(trainer, monkeypatch):
    trained = dies(trainer, monkeypatch, 99)
    result = trainer.fit({}, None, SETTINGS, "trial 3")
    assert result.dead
    assert result.restarts == MOST_RESTARTS
    assert len(trained) == MOST_RESTARTS + 1


def test_a_network_that_is_constant_after_all_epochs_is_not_trained_again(trainer, monkeypatch):
    trained = dies(trainer, monkeypatch, 99, epochs=6)
    assert trainer.fit({}, None, SETTINGS, "trial 3").dead
    assert len(trained) == 1


def test_what_goes_on_keeps_its_seed(trainer, monkeypatch):
    """A survivor goes on with the order of batches that its first part was drawn with."""
    trained = dies(trainer, monkeypatch, 99)
    rest = replace(SETTINGS, first_epoch=1, restarts=2)
    result = trainer.fit({}, {}, rest, "trial 3", checkpoint=object())
    assert result.restarts == 2
    assert [settings.drawn_seed for settings in trained] == [seed_after(5, 2)]


def test_seeds_of_neighbours_do_not_meet():
    """Trials have seeds in a row: a restart with the next seed would be the next trial."""
    seeds = {seed_after(seed, restarts) for seed in range(40, 60) for restarts in range(11)}
    assert len(seeds) == 20 * 11
    assert seed_after(2**31 - 1, 1) < 2**31


@pytest.mark.slow
def test_new_seeds_for_real(trainer, monkeypatch):
    """Seeds whose random network has no answer to any sample."""
    quantizers = quantizer_set("8 bits")
    results = [
        trainer.fit(quantizers, None, replace(SETTINGS, epochs=2, seed=seed), "trial")
        for seed in range(1, 7)
    ]
    assert any(result.restarts for result in results)
    assert not any(result.dead for result in results)
    restarted = next(n for n, result in enumerate(results, 1) if result.restarts)
    again = trainer.fit(quantizers, None, replace(SETTINGS, epochs=2, seed=restarted), "trial")
    for name, weights in again.weights.items():
        np.testing.assert_array_equal(weights, results[restarted - 1].weights[name])


def worse(losses, patience, waited=0, best=float("inf")):
    """Epochs that a `KeepBest` lets run."""

    class Model:
        stop_training = False
        trainable_variables = ()

    keep = KeepBest(best, None, waited, patience)
    keep.set_model(Model())
    keep.on_train_begin()
    count = 0
    for epoch, loss in enumerate(losses):
        if keep.model.stop_training:
            break
        keep.on_epoch_end(epoch, {"val_loss": loss})
        count += 1
    return count, keep.waited


@pytest.mark.parametrize(("patience", "epochs"), [(None, 7), (1, 2), (2, 5), (3, 6), (9, 7)])
def test_patience_counts_epochs_since_the_best(patience, epochs, monkeypatch):
    monkeypatch.setattr("pipeline.networks.training.get_weights", lambda _: {})
    losses = [3.0, 4.0, 2.0, 2.0, 5.0, 5.0, 5.0]
    count, _ = worse(losses, patience)
    assert count == epochs
    # the same in two parts, wherever it is cut
    for cut in range(1, count):
        first, waited = worse(losses[:cut], patience)
        second, _ = worse(losses[cut:], patience, waited, min(losses[:cut]))
        assert first + second == count


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 3, 4])
def test_early_stopping_in_two_parts_is_that_in_one(trainer, cut):
    """A high rate that falls slowly: an epoch is worse than others before the training is over."""
    quantizers, start = quantizer_set("8 bits"), trainer.fit({}, None, SETTINGS, "float").weights
    wild = replace(SETTINGS, learning_rate=0.2, epochs=40, patience=2)
    whole = trainer.fit(quantizers, start, wild, "whole")
    assert not whole.dead
    assert cut < whole.fit.epochs < wild.epochs
    first = trainer.fit(quantizers, start, replace(wild, last_epoch=cut), "first")
    rest = replace(wild, first_epoch=first.fit.epochs)
    second = trainer.fit(quantizers, first.weights, rest, "second", first.checkpoint)
    assert first.fit.epochs + second.fit.epochs == whole.fit.epochs
    assert second.validation_loss == whole.validation_loss
    for name, weights in whole.weights.items():
        np.testing.assert_array_equal(second.weights[name], weights)
