import numpy as np
import pytest

from pipeline.detector.digitisation import CausalFilter, NoiseStream, digitise, noise_taps
from pipeline.detector.pulse import Shaper
from tests.detector.cell import simulate_params


def test_filter_is_a_convolution():
    generator = np.random.default_rng(0)
    values, taps = generator.normal(size=200), generator.normal(size=7)
    expected = np.convolve(values, taps)[:200]
    assert CausalFilter(taps)(values) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("cut", [1, 3, 6, 50])
def test_filter_carries_its_history_exactly(cut):
    generator = np.random.default_rng(0)
    values, taps = generator.normal(size=200), generator.normal(size=7)
    whole, pieces = CausalFilter(taps), CausalFilter(taps)
    joined = np.concatenate([pieces(values[i : i + cut]) for i in range(0, 200, cut)])
    assert np.array_equal(whole(values), joined)


def test_a_filter_of_one_tap_needs_no_history():
    assert CausalFilter([2.0])(np.array([1.0, 3.0])).tolist() == [2.0, 6.0]


def test_noise_taps_have_the_autocorrelation_of_the_shaper():
    shaper = Shaper(simulate_params().pulse)
    taps = noise_taps(shaper)
    autocorrelation = np.correlate(taps, taps, "full")[taps.size - 1 :]
    assert autocorrelation == pytest.approx(shaper.noise_autocorrelation(taps.size), abs=3e-4)


def test_drawn_noise_has_rms_and_autocorrelation_of_the_shaper():
    shaper = Shaper(simulate_params().pulse)
    noise = NoiseStream(0.05, shaper, np.random.SeedSequence(3)).draw(400_000)
    variance = noise.var()
    assert np.sqrt(variance) == pytest.approx(0.05, rel=0.01)
    measured = [np.mean(noise[: noise.size - lag] * noise[lag:]) / variance for lag in range(12)]
    assert measured == pytest.approx(shaper.noise_autocorrelation(12), abs=0.01)


def test_adc_rounds_to_steps_that_are_powers_of_two():
    adc = simulate_params().adc
    samples_gev = np.random.default_rng(0).normal(0, 1, 1000)
    digits = digitise(samples_gev, adc)
    assert digits.dtype == np.float32
    assert np.array_equal(digits * 128, np.rint(samples_gev * 128))
    assert np.abs(digits - samples_gev).max() <= 0.5 / 128 + 1e-6


def test_adc_saturates_at_both_ends():
    adc = simulate_params().adc
    low, high = digitise(np.array([-1e3, 1e3]), adc)
    assert low == -1000 / 128
    assert high == (4095 - 1000) / 128
