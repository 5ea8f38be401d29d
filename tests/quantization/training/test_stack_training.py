"""Trainings that a stack makes, seen from `QatTrainer`: QKeras gives their loss again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.base.architecture import Architecture
from pipeline.networks.checkpoint import Checkpoint
from pipeline.networks.float_network import get_weights
from pipeline.networks.runtime import make_strategy
from pipeline.networks.stack.checkpoint import StackCheckpoint
from pipeline.networks.stack.stack import lanes
from pipeline.quantization.training.settings import QatSettings
from pipeline.quantization.training.trainer import QatTrainer
from tests.networks.sequences import dead_network, echo_data, near_echo
from tests.quantization.quantizer_sets import quantizer_set

UNITS, LENGTH = 3, 3
SETTINGS = QatSettings(epochs=4, batch_size=32, learning_rate=0.01, seed=5, starts=lanes())


@pytest.fixture(scope="module")
def trainer():
    data = echo_data(400, LENGTH), echo_data(200, LENGTH, seed=1)
    return QatTrainer(Architecture("SimpleRNN", UNITS, LENGTH), *data, make_strategy("cpu"))


@pytest.fixture(scope="module")
def start():
    return near_echo(UNITS, LENGTH)


@pytest.mark.parametrize("name", ["8 bits", "auto_po2", "signs", "signed"])
def test_the_loss_is_that_of_qkeras_and_of_the_best_start(trainer, start, name):
    quantizers = quantizer_set(name)
    result = trainer.fit(quantizers, start, SETTINGS, "trial")
    assert not result.dead
    assert len(result.start_losses) == lanes()
    assert len(set(result.start_losses)) > 1
    assert result.validation_loss == min(result.start_losses) == min(result.fit.validation_loss)
    again = trainer.validation_loss(quantizers, result.weights)
    assert result.validation_loss == pytest.approx(again, rel=1e-6)


def test_fewer_starts_are_the_first_of_them(trainer, start):
    quantizers = quantizer_set("auto_po2")
    all_, one = (
        trainer.fit(quantizers, start, replace(SETTINGS, starts=starts), "trial")
        for starts in (lanes(), 1)
    )
    assert one.start_losses == all_.start_losses[:1]
    assert one.validation_loss >= all_.validation_loss


def test_without_weights_each_start_has_its_own(trainer, monkeypatch):
    seen = []
    stack_starts = trainer._stack._starts

    def starts(weights, settings):
        seen.extend(stack_starts(weights, settings))
        return seen

    monkeypatch.setattr(trainer._stack, "_starts", starts)
    trainer.fit(quantizer_set("8 bits"), None, replace(SETTINGS, last_epoch=1), "trial")
    kernels = {weights["rnn/kernel"].tobytes() for weights in seen[: lanes()]}
    assert len(kernels) == lanes()


@pytest.mark.parametrize(
    ("name", "kind"), [("8 bits", StackCheckpoint), ("powers of two", Checkpoint)]
)
def test_quantizers_that_a_stack_does_not_know_are_trained_by_keras(trainer, start, name, kind):
    first = trainer.fit(quantizer_set(name), start, replace(SETTINGS, last_epoch=1), "trial")
    assert isinstance(first.checkpoint, kind)
    assert len(first.start_losses) == (lanes() if kind is StackCheckpoint else 1)


def test_a_checkpoint_of_the_other_kind_is_refused(trainer, start):
    part = replace(SETTINGS, last_epoch=1)
    known, other = quantizer_set("8 bits"), quantizer_set("powers of two")
    stacked, single = (trainer.fit(q, start, part, "trial").checkpoint for q in (known, other))
    rest = replace(SETTINGS, first_epoch=1)
    with pytest.raises(ValueError, match="cannot go on with Keras"):
        trainer.fit(other, start, rest, "trial", stacked)
    with pytest.raises(ValueError, match="cannot go on in a stack"):
        trainer.fit(known, start, rest, "trial", single)


def test_several_devices_are_left_to_keras(start):
    strategy = make_strategy("mirrored")
    data = echo_data(400, LENGTH), echo_data(200, LENGTH, seed=1)
    trainer = QatTrainer(Architecture("SimpleRNN", UNITS, LENGTH), *data, strategy)
    stacked = trainer._stack.formats(quantizer_set("8 bits"), UNITS) is not None
    assert stacked == (len(strategy.extended.worker_devices) == 1)


def test_networks_that_are_all_dead_end_after_one_epoch(trainer, capsys):
    dead = get_weights(dead_network(UNITS, LENGTH))
    result = trainer.fit(quantizer_set("8 bits"), dead, SETTINGS, "trial 3")
    assert result.dead
    assert result.fit.epochs == 1
    assert "trial 3: dead after one epoch; starts again" in capsys.readouterr().err


def test_patience_ends_a_training(trainer, start):
    wild = replace(SETTINGS, learning_rate=0.3, epochs=40, patience=2)
    result = trainer.fit(quantizer_set("8 bits"), start, wild, "trial")
    assert 2 < result.fit.epochs < 40


def test_a_rate_that_diverges_is_an_error(trainer, start):
    wild = replace(SETTINGS, learning_rate=1.0)
    huge = {name: value * np.float32(np.inf) for name, value in start.items()}
    with pytest.raises(FloatingPointError, match="not finite in epoch 1"):
        trainer.fit({}, huge, wild, "trial")
