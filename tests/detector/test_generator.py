import itertools

import numpy as np
import pytest

from pipeline.detector.generator import generate
from pipeline.detector.sequences.sequence_file import Sequences
from pipeline.params.section import MAX_BC
from tests.detector.cell import sequence, simulate_params


@pytest.fixture(scope="module")
def cell() -> Sequences:
    return sequence(simulate_params(n_bc=300_000))


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_length_and_type(cell):
    for values in cell:
        assert values.shape == (300_000,)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()


@pytest.mark.parametrize("chunk_bc", [64, 1000, 4999, 100_000])
def test_result_does_not_depend_on_the_chunk(chunk_bc):
    params = simulate_params(n_bc=5000, chunk_bc=5000)
    other = params.model_copy(update={"chunk_bc": chunk_bc})
    assert same(sequence(params), sequence(other))
    assert max(chunk.dig_et_gev.size for chunk in generate(other)) <= chunk_bc


def test_a_longer_sequence_begins_like_a_shorter_one(cell):
    short = sequence(simulate_params(n_bc=777))
    assert same(short, [values[:777] for values in cell])


def test_a_sequence_may_be_shorter_than_every_filter():
    assert sequence(simulate_params(n_bc=1)).dig_et_gev.size == 1


def test_seed_fixes_the_result_and_another_changes_it():
    one, again = (sequence(simulate_params(n_bc=2000)) for _ in range(2))
    other = sequence(simulate_params(n_bc=2000, seed=2))
    assert same(one, again)
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_mean_square_is_that_of_the_original_data(cell):
    assert np.mean(cell.hit_et_gev.astype(float) ** 2) == pytest.approx(0.2234, rel=0.05)


def test_truth_is_signal_and_pileup(cell):
    assert np.all(cell.hit_et_gev >= cell.sig_et_gev)
    pileup_mev = 1e3 * (cell.hit_et_gev - cell.sig_et_gev)
    assert pileup_mev.mean() == pytest.approx(simulate_params().pileup.mean_et_mev, rel=0.03)


def test_samples_have_no_baseline_shift(cell):
    # The pulse has no integral, so deposits at a constant rate do not move the mean.
    assert 1e3 * abs(cell.dig_et_gev.mean()) < 5


@pytest.mark.slow
def test_noise_and_pileup_are_stationary_from_the_first_bunch_crossing():
    first = np.array(
        [
            sequence(simulate_params(n_bc=1, seed=seed, signal={"max_et_gev": 1e-9})).dig_et_gev[0]
            for seed in range(60)
        ]
    )
    later = sequence(simulate_params(n_bc=50_000, signal={"max_et_gev": 1e-9})).dig_et_gev
    assert first.std() == pytest.approx(later.std(), rel=0.3)


def test_ofmax_finds_isolated_deposits_where_they_are(cell):
    big = np.flatnonzero(cell.sig_et_gev > 2)
    lone = big[1:][np.diff(big) > 40][:-1]
    assert lone.size > 100
    assert np.mean(cell.ofmax_et_gev[lone] > 1) > 0.98
    residual_mev = 1e3 * (cell.ofmax_et_gev - cell.hit_et_gev)[lone]
    assert abs(np.median(residual_mev)) < 60


def test_ofmax_never_reports_neighbours(cell):
    found = cell.ofmax_et_gev > 0
    assert not np.any(found[1:] & found[:-1])
    assert np.all(cell.ofmax_et_gev >= 0)


def test_without_noise_or_pileup_samples_are_the_pulse():
    quiet = simulate_params(
        n_bc=400,
        noise={"rms_mev": 0.0},
        pileup={"mean_et_mev": 0.0},
        signal={"mean_gap_bc": 100.0, "std_gap_bc": 0.0},
    )
    found = sequence(quiet)
    for bc in np.flatnonzero(found.hit_et_gev)[:-1]:
        step_gev = 1e-3 * quiet.adc.lsb_mev
        assert found.dig_et_gev[bc] == 0
        assert found.dig_et_gev[bc + 2] == pytest.approx(found.hit_et_gev[bc], abs=step_gev)
        assert found.ofmax_et_gev[bc] == pytest.approx(found.hit_et_gev[bc], abs=3 * step_gev)


def test_bunch_trains_leave_the_gaps_empty():
    found = sequence(simulate_params(n_bc=4000, bunch_train={"filled_bc": 80, "empty_bc": 20}))
    phase = np.arange(4000) % 100
    assert not found.hit_et_gev[phase >= 80].any()
    assert np.mean(found.hit_et_gev[phase < 80] > 0) > 0.4


def test_memory_is_that_of_a_chunk():
    endless = generate(simulate_params(n_bc=MAX_BC, chunk_bc=1000))
    taken = list(itertools.islice(endless, 3))
    assert [chunk.hit_et_gev.size for chunk in taken[1:]] == [1000, 1000]
