"""The benchmark of training: both sides train one network, and its clock counts right."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import training
from benchmarks.clock import EpochClock, target_key
from benchmarks.networks import SCHEDULES, schedule
from pipeline.base.architecture import Architecture
from tests.benchmarks.conftest import table

SCALE_GEV = 16.0


@pytest.fixture
def clock():
    """Epochs that end 3, 5, 6 and 9 s after the start, with 60, 55, 52.5 and 53 MeV."""
    clock = EpochClock(SCALE_GEV, start=100.0)
    clock.marks = [101.0, 103.0, 105.0, 106.0, 109.0]
    clock.rmse_mev = [60.0, 55.0, 52.5, 53.0]
    return clock


def test_figures_of_a_training(clock):
    assert clock.figures([55.0, 52.4]) == {
        "first_epoch_s": 2.0,
        "later_epoch_s": 2.0,
        "total_s": 9.0,
        "epochs": 4.0,
        "final_rmse_mev": 53.0,
        "best_rmse_mev": 52.5,
        "to_55_mev_s": 5.0,
        "to_52.4_mev_s": None,
    }


def test_a_single_epoch_says_nothing_of_later_ones():
    clock = EpochClock(SCALE_GEV, start=0.0)
    clock.on_train_begin()
    clock.on_epoch_end(0, {"val_loss": (0.05 / SCALE_GEV) ** 2})
    figures = clock.figures([])
    assert figures["later_epoch_s"] is None
    assert figures["final_rmse_mev"] == pytest.approx(50.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_those_of_the_pipeline(workplace, name):
    callbacks = schedule(name, 4)
    kinds = {"constant": [], "plateau": ["ReduceLROnPlateau"], "cosine": ["LearningRateScheduler"]}
    assert [type(callback).__name__ for callback in callbacks] == kinds[name]
    if name == "cosine":
        rates = [callbacks[0].schedule(epoch, 0.0) for epoch in range(5)]
        assert rates[0] == 1e-3
        assert rates[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["float", "quantized"])
def test_both_sides_run_and_start_alike(workplace, capsys, kind):
    training.main(
        ["--kind", kind, "--epochs", "1", "--our-epochs", "2", "--repeats", "1", "--seed", "3",
         "--targets", "1e6", "1"]
    )  # fmt: skip
    rows = table(capsys.readouterr().out)
    assert rows[f"{kind}: epochs"][:2] == ["1 [1, 1]", "2 [2, 2]"]
    assert rows[f"{kind}: seconds of an epoch"][0] == "not measured"
    everyone = rows[f"{kind}: seconds to 1e+06 MeV, data and compilation included"]
    nobody = rows[f"{kind}: seconds to 1 MeV, data and compilation included"]
    assert all("[" in cell for cell in everyone)
    assert nobody == ["not reached", "not reached", "no pair"]


@pytest.mark.slow
def test_the_same_network_is_trained_on_both_sides(workplace):
    """The quantized forward pass of the pipeline is a faster one, not another one."""
    import tensorflow as tf

    from benchmarks.networks import UNITS, first_weights, quantizers
    from benchmarks.stock import materialise
    from pipeline.networks.float_network import set_weights
    from pipeline.quantization.training.network import build_quantized_network, forward
    from pipeline.samples.prepared import read_prepared

    split = read_prepared(training.PREPARED).validation
    length = split.window_length
    x, _ = materialise(split)
    outputs = []
    for unroll in (False, True):
        architecture = Architecture("SimpleRNN", UNITS, length)
        model = build_quantized_network(architecture, quantizers(), unroll=unroll)
        set_weights(model, first_weights("quantized", length, seed=1))
        inputs = tf.constant(x)
        outputs.append(forward(model, inputs, False) if unroll else model(inputs, training=False))
    assert np.ptp(outputs[0]) > 0
    np.testing.assert_allclose(outputs[0], outputs[1], atol=1e-6)


def test_other_first_weights_on_one_side_are_an_error(monkeypatch):
    sums = iter([1.0, 2.0])

    def other(*_: str) -> dict[str, float]:
        return {"weights_sum": next(sums)}

    monkeypatch.setattr(training, "contender", other)
    with pytest.raises(RuntimeError, match=r"same first weights .* 1\.0 and 2\.0"):
        training.main(["--kind", "float", "--repeats", "1"])


def test_targets_have_figures_of_their_own():
    assert target_key(52.0) == "to_52_mev_s"
    assert target_key(52.5) != target_key(52.0)
