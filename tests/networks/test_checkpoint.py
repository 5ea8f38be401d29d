"""A training in two parts is the training in one: the same weights, to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.base.architecture import Architecture
from pipeline.base.files import ArtifactError
from pipeline.networks.fitting import FitResult
from pipeline.networks.runtime import make_strategy
from pipeline.quantization.training.result import QatResult
from pipeline.quantization.training.settings import QatSettings
from pipeline.quantization.training.trainer import QatTrainer
from tests.networks.sequences import echo_data, near_echo
from tests.quantization.quantizer_sets import quantizer_set

UNITS, LENGTH = 3, 3
WHOLE = QatSettings(epochs=4, batch_size=32, learning_rate=0.02, seed=5)


@pytest.fixture(scope="module")
def trainer():
    data = echo_data(400, LENGTH), echo_data(200, LENGTH, seed=1)
    return QatTrainer(Architecture("SimpleRNN", UNITS, LENGTH), *data, make_strategy("auto"))


@pytest.fixture(scope="module")
def start():
    return near_echo(UNITS, LENGTH)


@pytest.fixture(scope="module")
def whole(trainer, start):
    return trainer.fit(quantizer_set("8 bits"), start, WHOLE, "whole")


def same(one, other):
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("cut", [1, 3])
def test_going_on_is_as_if_training_had_never_stopped(trainer, start, whole, cut, tmp_path):
    quantizers = quantizer_set("8 bits")
    first = trainer.fit(quantizers, start, replace(WHOLE, last_epoch=cut), "first")
    assert not first.dead
    file = tmp_path / "checkpoint.h5"
    first.checkpoint.save(file)
    checkpoint = trainer.load_checkpoint(file, quantizers, WHOLE)
    rest = replace(WHOLE, first_epoch=cut)
    second = trainer.fit(quantizers, first.weights, rest, "second", checkpoint)
    same(second.weights, whole.weights)
    assert second.validation_loss == whole.validation_loss
    for curve in ("loss", "validation_loss", "learning_rate"):
        assert getattr(first.fit, curve) + getattr(second.fit, curve) == getattr(whole.fit, curve)


def test_every_epoch_is_a_sign_of_life(trainer, start, monkeypatch):
    signs = []
    monkeypatch.setattr(trainer, "after_epoch", lambda: signs.append(1))
    trainer.fit(quantizer_set("8 bits"), start, replace(WHOLE, last_epoch=2), "first")
    assert len(signs) == 2


def test_a_training_that_is_over_leaves_nothing_to_go_on_from(whole):
    assert whole.checkpoint is None
    assert whole.fit.epochs == 4


def test_the_best_epoch_of_the_first_part_is_kept(trainer, start):
    """A rate that ruins the network afterwards must not lose what was there."""
    quantizers = quantizer_set("8 bits")
    first = trainer.fit(quantizers, start, replace(WHOLE, last_epoch=2), "first")
    wild = replace(WHOLE, first_epoch=2, learning_rate=5.0)
    second = trainer.fit(quantizers, first.weights, wild, "second", first.checkpoint)
    assert min(second.fit.validation_loss) > first.validation_loss
    same(second.weights, first.weights)
    assert second.validation_loss == first.validation_loss


def test_a_file_of_another_network_is_refused(trainer, start, tmp_path):
    first = trainer.fit(quantizer_set("8 bits"), start, replace(WHOLE, last_epoch=1), "first")
    first.checkpoint.save(tmp_path / "checkpoint.h5")
    shapes = {name: value.shape for name, value in start.items()} | {"rnn/kernel": (1, 4)}
    with pytest.raises(ArtifactError, match="weights/rnn/kernel"):
        type(first.checkpoint).load(tmp_path / "checkpoint.h5", shapes)


@pytest.mark.parametrize(("cell", "starts"), [("SimpleRNN", 2), ("GRU", 1)])
def test_a_network_that_is_dead_at_once_starts_again_with_units_below_one(
    trainer, start, cell, starts, monkeypatch, capsys
):
    begun = []

    def fit(quantizers, initial, settings, description, checkpoint):
        begun.append(initial)
        return QatResult({}, 1.0, FitResult(), dead=len(begun) == 1)

    architecture = Architecture(cell, UNITS, LENGTH)
    of_cell = QatTrainer(architecture, trainer.train, trainer.validation, trainer.strategy)
    monkeypatch.setattr(of_cell, "_fit", fit)
    wild = {**start, "rnn/kernel": start["rnn/kernel"] * 4}
    result = of_cell.fit({}, wild, WHOLE, "trial 7")
    assert len(begun) == starts
    assert result.dead == (starts == 1)
    assert ("trial 7: dead after one epoch" in capsys.readouterr().err) == (starts == 2)
    if starts == 2:
        assert begun[1]["rnn/kernel"].max() < begun[0]["rnn/kernel"].max()
