from fractions import Fraction

import numpy as np
import pytest

from pipeline.detector.sequences.sequence_file import Sequences
from pipeline.detector.sequences.summary import QUIET_BC, summarise


def made(n_bc, injected):
    generator = np.random.default_rng(0)
    dig = generator.normal(0, 0.1, n_bc).astype(np.float32)
    sig = np.zeros(n_bc, np.float32)
    sig[injected] = 2.0
    return Sequences(dig, sig.copy(), np.zeros_like(sig), sig)


def cut(sequences, size):
    n_bc = sequences.dig_et_gev.size
    return [Sequences(*(v[i : i + size] for v in sequences)) for i in range(0, n_bc, size)]


@pytest.mark.parametrize("size", [7, 33, 500])
def test_figures_of_a_small_sequence(size):
    data = made(500, [100, 250])
    quiet = [
        bc
        for bc in range(QUIET_BC - 1, 500)
        if not data.sig_et_gev[bc - QUIET_BC + 1 : bc + 1].any()
    ]
    found = summarise(cut(data, size))
    assert found.n_bc == 500
    assert found.mean_square_et_gev2 == pytest.approx(2 * 4 / 500)
    assert found.occupancy == pytest.approx(2 / 500)
    assert found.noise_mev == pytest.approx(1e3 * data.dig_et_gev[quiet].std(), rel=1e-4)


def test_noise_is_left_out_where_nothing_is_quiet():
    found = summarise([made(20, [])])
    assert found.noise_mev is None
    assert set(found.metrics()) == {"n_bc", "mean_square_et_gev2", "occupancy"}


def test_sums_are_those_of_exact_arithmetic_on_any_processor():
    """One large square among many small ones: sums in another order lose some of them."""
    data = made(5000, [])
    data.hit_et_gev[:] = np.float32(1e-3)
    data.hit_et_gev[2500] = np.float32(3e4)
    exact = sum(Fraction(float(value)) ** 2 for value in data.hit_et_gev)
    assert summarise([data]).mean_square_et_gev2 == float(exact) / 5000
