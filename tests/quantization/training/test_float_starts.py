"""Float networks that trials start from: one is the given one, the others are new."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.base.architecture import Architecture
from pipeline.networks.float_network import get_weights
from pipeline.networks.runtime import make_strategy
from pipeline.networks.stack.stack import lanes
from pipeline.quantization.training import trainer as module
from pipeline.quantization.training.rescaling import fill_range, kernel_of_powers_of_two
from pipeline.quantization.training.settings import QatSettings
from pipeline.quantization.training.trainer import QatTrainer
from pipeline.quantizers.quantizer import parse_quantizer
from tests.networks.sequences import dead_network, echo_data, near_echo
from tests.quantization.quantizer_sets import quantizer_set

UNITS, LENGTH = 3, 3
DATA = echo_data(400, LENGTH), echo_data(200, LENGTH, seed=1)


def trainer_of(cell="SimpleRNN", strategy="cpu"):
    return QatTrainer(Architecture(cell, UNITS, LENGTH), *DATA, make_strategy(strategy))


@pytest.fixture(scope="module")
def trainer():
    return trainer_of()


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(module, "START_EPOCHS", 2)


def same(one, other) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_the_first_start_is_made_of_the_given_network_and_the_others_are_new(trainer, monkeypatch):
    given = near_echo(UNITS, LENGTH)
    new = [near_echo(UNITS, LENGTH, seed) for seed in (10, 11, 12)]
    monkeypatch.setattr(module, "new_weights", lambda _, seeds: new[: len(seeds)])
    starts = trainer.float_starts(given, UNITS, 4)
    assert len(starts) == trainer.starts_of(UNITS, 4) == 4
    for start, begun in zip(starts, [given, *new], strict=True):
        drift = np.abs(start["rnn/bias"] - begun["rnn/bias"]).max()
        others = [w["rnn/bias"] for w in (given, *new) if w is not begun]
        assert drift < min(np.abs(start["rnn/bias"] - other).max() for other in others)
    for start, again in zip(starts, trainer.float_starts(given, UNITS, 4), strict=True):
        assert same(start, again)


@pytest.mark.parametrize("units", [2, 5])
def test_starts_have_the_width_that_is_wanted(trainer, units):
    for start in trainer.float_starts(near_echo(UNITS, LENGTH), units, 3):
        assert start["rnn/kernel"].shape == (1, units)


def test_one_start_is_the_given_network_alone(trainer):
    given = near_echo(UNITS, LENGTH)
    (alone,) = trainer.float_starts(given, UNITS, 1)
    assert same(alone, trainer.float_starts(given, UNITS, 8)[0])


def test_in_place_of_a_dead_one_stands_the_best(trainer, monkeypatch):
    dead = get_weights(dead_network(UNITS, LENGTH))
    monkeypatch.setattr(module, "new_weights", lambda _, seeds: [dead] * len(seeds))
    first, *others = trainer.float_starts(near_echo(UNITS, LENGTH), UNITS, lanes())
    assert len(others) == lanes() - 1
    assert all(same(first, other) for other in others)


@pytest.mark.parametrize(("cell", "strategy"), [("GRU", "cpu"), ("SimpleRNN", "mirrored")])
def test_what_keras_trains_has_one_start(cell, strategy, monkeypatch):
    monkeypatch.setattr("pipeline.quantization.training.stack_training.runs_on_one_cpu",
                        lambda _: strategy == "cpu")  # fmt: skip
    keras = trainer_of(cell, strategy)
    shapes = Architecture(cell, UNITS, LENGTH).weight_shapes
    given = {name: np.full(shape, 0.1, np.float32) for name, shape in shapes.items()}
    assert keras.starts_of(UNITS, 8) == len(keras.float_starts(given, UNITS, 8)) == 1


@pytest.mark.parametrize("kernel", ["binary(alpha='auto_po2')", "quantized_bits(6,0,1)"])
def test_starts_are_rescaled_one_by_one(trainer, kernel):
    starts = [near_echo(UNITS, LENGTH, seed) for seed in range(3)]
    samples = trainer._probe()[0]
    found = trainer.rescaled(starts, parse_quantizer(kernel, "test"))
    for start, rescaled in zip(starts, found, strict=True):
        wanted = kernel_of_powers_of_two(start) if kernel.startswith("binary") else start
        assert same(fill_range(wanted, samples), rescaled)


def test_a_gated_cell_is_not_rescaled():
    starts = [{"rnn/kernel": np.ones((1, 12), np.float32)}]
    assert trainer_of("LSTM").rescaled(starts, None) is starts


def test_each_lane_begins_at_its_own_start(trainer):
    """A rate so low that nothing moves: the losses are those of the starts."""
    starts = [near_echo(UNITS, LENGTH, seed) for seed in range(3)]
    settings = QatSettings(1, 32, 1e-30, seed=5, starts=5)
    quantizers = quantizer_set("8 bits")
    result = trainer.fit(quantizers, starts, settings, "trial")
    losses = [trainer.validation_loss(quantizers, start) for start in starts]
    np.testing.assert_allclose(result.start_losses, [*losses, *losses[:2]], rtol=1e-5)
    assert len(set(losses)) == 3
    for lane, weights in enumerate(result.start_weights):
        kept = {name: np.clip(tensor, -1, 1) for name, tensor in starts[lane % 3].items()}
        assert same(weights, kept)  # of a fixed scale
