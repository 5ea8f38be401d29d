import numpy as np
import pytest

from pipeline.detector.deposits import (
    PileupStream,
    SignalStream,
    filled,
    hits_per_bc,
    mean_square_hits_gev2,
)
from pipeline.params.detector import BunchTrainParams
from tests.detector.cell import simulate_params

FLAT = BunchTrainParams(filled_bc=0, empty_bc=0)
TRAIN = BunchTrainParams(filled_bc=72, empty_bc=8)


def seeds(seed=1):
    return np.random.SeedSequence(seed).spawn(2)


def test_pileup_is_small_skewed_and_often_absent():
    params = simulate_params().pileup
    et_gev = PileupStream(params, FLAT, *seeds()).draw(np.arange(400_000))
    assert et_gev.mean() == pytest.approx(1e-3 * params.mean_et_mev, rel=0.02)
    assert et_gev.var() == pytest.approx(mean_square_hits_gev2(params), rel=0.05)
    assert np.mean(et_gev == 0) == pytest.approx(np.exp(-hits_per_bc(params)), abs=0.005)
    assert np.mean((et_gev - et_gev.mean()) ** 3) > 2 * et_gev.std() ** 3


@pytest.mark.parametrize("change", [{"mean_et_mev": 0.0}, {"mean_interactions": 0.0}])
def test_pileup_can_be_switched_off(change):
    params = simulate_params(pileup=change).pileup
    assert not PileupStream(params, FLAT, *seeds()).draw(np.arange(1000)).any()
    assert mean_square_hits_gev2(params) == 0


def test_trains_leave_gaps_without_pileup():
    bc = np.arange(800)
    et_gev = PileupStream(simulate_params().pileup, TRAIN, *seeds()).draw(bc)
    assert not et_gev[bc % 80 >= 72].any()
    assert et_gev[bc % 80 < 72].any()


def test_every_bunch_crossing_of_a_flat_filling_is_filled():
    assert filled(np.arange(-5, 100), FLAT).all()
    assert filled(np.array([-80, -1, 0, 71, 72]), TRAIN).tolist() == [
        True,
        False,
        True,
        True,
        False,
    ]


def test_signal_has_uniform_energies_at_normal_distances():
    params = simulate_params().signal
    et_gev = SignalStream(params, FLAT, *seeds(), 0).draw(np.arange(1_000_000))
    positions = np.flatnonzero(et_gev)
    gaps = np.diff(positions)
    assert gaps.mean() == pytest.approx(params.mean_gap_bc, abs=0.3)
    assert gaps.std() == pytest.approx(params.std_gap_bc, abs=0.3)
    energies = et_gev[positions]
    assert energies.min() > 0
    assert energies.max() < params.max_et_gev
    assert energies.mean() == pytest.approx(params.max_et_gev / 2, rel=0.02)


def test_distance_is_at_least_one_bunch_crossing():
    params = simulate_params(signal={"mean_gap_bc": 1.0, "std_gap_bc": 3.0}).signal
    et_gev = SignalStream(params, FLAT, *seeds(), -1).draw(np.arange(5000))
    assert np.diff(np.flatnonzero(et_gev)).min() == 1


def test_injections_into_empty_bunch_crossings_are_left_out():
    params = simulate_params(signal={"mean_gap_bc": 1.0, "std_gap_bc": 0.0}).signal
    bc = np.arange(800)
    et_gev = SignalStream(params, TRAIN, *seeds(), -1).draw(bc)
    assert np.array_equal(et_gev > 0, filled(bc, TRAIN))
