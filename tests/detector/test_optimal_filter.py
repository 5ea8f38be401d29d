import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detector.deposits import mean_square_hits_gev2
from pipeline.detector.digitisation import CausalFilter
from pipeline.detector.generator import optimal_filter
from pipeline.detector.optimal_filter import MaximumFinder, coefficients, total_autocorrelation
from pipeline.detector.pulse import Pulse
from tests.detector.cell import simulate_params


@pytest.mark.parametrize("n_samples", [3, 4, 5, 8])
def test_coefficients_meet_their_constraints(n_samples):
    params = simulate_params(optimal_filter={"n_samples": n_samples})
    pulse = Pulse(params.pulse)
    shape, slope = pulse.samples(n_samples), pulse.derivative_samples(n_samples)
    found = optimal_filter(params)
    assert found.amplitude @ shape == pytest.approx(1, abs=1e-9)
    assert found.amplitude @ slope == pytest.approx(0, abs=1e-9)
    assert found.time_ns @ shape == pytest.approx(0, abs=1e-6)
    assert found.time_ns @ slope == pytest.approx(-1, abs=1e-9)


def test_amplitude_and_time_of_a_clean_pulse():
    params = simulate_params()
    pulse, found = Pulse(params.pulse), optimal_filter(params)
    for delay_ns in (-1.0, 0.0, 1.0):
        samples = 3.0 * pulse.shape(25.0 * np.arange(5) - delay_ns)
        amplitude = found.amplitude @ samples
        assert amplitude == pytest.approx(3.0, rel=0.01)
        assert found.time_ns @ samples / amplitude == pytest.approx(delay_ns, abs=0.1)


def test_no_unbiased_filter_has_less_variance():
    params = simulate_params()
    pulse = Pulse(params.pulse)
    shape, slope = pulse.samples(5), pulse.derivative_samples(5)
    noise = total_autocorrelation(
        0.052**2 * pulse.shaper.noise_autocorrelation(5),
        pulse.samples(),
        mean_square_hits_gev2(params.pileup),
    )
    covariance = noise[np.abs(np.subtract.outer(np.arange(5), np.arange(5)))]
    best = coefficients(shape, slope, noise).amplitude
    other = coefficients(shape, slope, np.eye(5)[0]).amplitude
    assert other @ shape == pytest.approx(1)
    assert best @ covariance @ best < other @ covariance @ other


def test_without_any_noise_the_filter_still_exists():
    params = simulate_params(noise={"rms_mev": 0.0}, pileup={"mean_et_mev": 0.0})
    assert np.isfinite(optimal_filter(params).amplitude).all()


def test_pileup_autocovariance_is_that_of_shaped_deposits():
    pulse = Pulse(simulate_params().pulse).samples()
    deposits = np.random.default_rng(0).poisson(0.5, 400_000).astype(float)
    shaped = CausalFilter(pulse)(deposits)[50:]
    shaped -= shaped.mean()
    measured = [np.mean(shaped[: shaped.size - lag] * shaped[lag:]) for lag in range(5)]
    expected = total_autocorrelation(np.zeros(5), pulse, 0.5)
    assert measured == pytest.approx(expected, rel=0.05)


def find(samples, amplitude, cut=None):
    finder = MaximumFinder(amplitude)
    padded = np.concatenate([samples, np.zeros(finder.delay_bc)])
    cut = cut or padded.size
    found = [finder(padded[i : i + cut]) for i in range(0, padded.size, cut)]
    return np.concatenate(found)[finder.delay_bc :]


def test_maximum_lies_in_the_bunch_crossing_of_the_deposit():
    params = simulate_params()
    deposits = np.zeros(200)
    deposits[[40, 120]] = 1.0, 2.5
    samples = CausalFilter(Pulse(params.pulse).samples())(deposits)
    found = find(samples, optimal_filter(params).amplitude)
    assert found[40] == pytest.approx(1.0, rel=1e-3)
    assert found[120] == pytest.approx(2.5, rel=1e-3)
    assert not found[[38, 39, 41, 42, 119, 121]].any()


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(1, 45))
def test_finder_is_the_naive_loop_for_any_cut(numbers, cut):
    amplitude = np.array([1.0, -2.0, 0.5])
    samples = np.array(numbers, dtype=float)
    padded = np.concatenate([np.zeros(1), samples, np.zeros(4)])
    output = [amplitude @ padded[i : i + 3] for i in range(samples.size + 2)]
    expected = [
        here if here > 0 and here > before and here >= after else 0.0
        for before, here, after in zip(output, output[1:], output[2:], strict=False)
    ]
    assert find(samples, amplitude, cut).tolist() == expected
