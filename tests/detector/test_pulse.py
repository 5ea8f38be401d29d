import numpy as np
import pytest
from scipy.linalg import expm
from scipy.signal import lfilter

from pipeline.detector.pulse import Pulse, Shaper
from pipeline.params.detector import PulseParams
from tests.detector.cell import simulate_params


@pytest.fixture(scope="module")
def pulse() -> Pulse:
    return Pulse(simulate_params().pulse)


def test_peak_lies_two_bunch_crossings_after_the_deposit(pulse):
    assert pulse.peak_time_ns == pytest.approx(49.5, abs=0.5)
    assert pulse.shape(pulse.peak_time_ns) == pytest.approx(1.0, abs=1e-12)
    samples = pulse.samples()
    assert np.argmax(samples) == 2
    assert samples[0] == 0
    assert samples[2] == pytest.approx(1.0, abs=1e-4)


def test_undershoot_is_a_fifth_of_the_peak(pulse):
    assert pulse.samples().min() == pytest.approx(-0.21, abs=0.005)


def test_pulse_lasts_26_bunch_crossings(pulse):
    samples = pulse.samples(60)
    assert np.flatnonzero(np.abs(samples) > 0.005)[-1] + 1 == 26
    assert 26 <= pulse.n_samples() <= 30
    assert np.all(np.abs(samples[pulse.n_samples() :]) <= 1e-3)


def test_integral_vanishes(pulse):
    step_ns = 0.5
    assert step_ns * pulse.shape(np.arange(0, 1500, step_ns)).sum() == pytest.approx(0.0, abs=1e-4)


def test_agrees_with_the_closed_form_and_a_numerical_preamplifier(pulse):
    drift, tau, preamp = 450.0, 13.0, 40.0
    step_ns = 0.25
    grid_ns = np.arange(0, 900, step_ns)

    def integral(time_ns):
        x = np.maximum(time_ns, 0) / tau
        return tau * (1 - np.exp(-x) * (1 + x + x**2 / 2))

    x = grid_ns / tau
    bare = x**2 / 2 * np.exp(-x) - (integral(grid_ns) - integral(grid_ns - drift)) / drift
    decay = np.exp(-step_ns / preamp)
    expected = lfilter([(1 - decay) / 2, (1 - decay) / 2], [1, -decay], bare)
    assert pulse.shape(grid_ns) == pytest.approx(expected / expected.max(), abs=1e-4)


def test_derivative_is_the_slope_of_the_shape(pulse):
    grid_ns = np.array([5.0, 25.0, 50.0, 200.0, 449.0, 451.0, 600.0])
    slope = (pulse.shape(grid_ns + 1e-3) - pulse.shape(grid_ns - 1e-3)) / 2e-3
    assert pulse.derivative(grid_ns) == pytest.approx(slope, abs=1e-7)
    assert pulse.derivative_samples(5) == pytest.approx(pulse.derivative([0, 25, 50, 75, 100]))


def test_nothing_happens_before_the_deposit(pulse):
    assert np.all(pulse.shape([-100.0, -1.0, 0.0]) == 0)


def samples_at(preamp_ns):
    params = PulseParams(drift_time_ns=450.0, shaper_time_ns=13.0, preamp_time_ns=preamp_ns)
    return Pulse(params).samples(30)


@pytest.mark.parametrize("preamp_ns", [13.0 - 1e-6, 13.0, 13.0 + 1e-6])
def test_equal_time_constants_are_no_exception(preamp_ns):
    assert samples_at(preamp_ns) == pytest.approx(samples_at(13.01), abs=1e-3)


@pytest.mark.parametrize("preamp_ns", [0.3, 5.0, 13.0, 40.0, 500.0])
def test_cascade_is_the_matrix_exponential(preamp_ns):
    params = PulseParams(drift_time_ns=450.0, shaper_time_ns=13.0, preamp_time_ns=preamp_ns)
    tau, preamp = 13.0, preamp_ns
    system = np.diag([-1 / preamp, -1 / tau, -1 / tau, -1 / tau]) + np.diag([1 / tau] * 3, -1)
    for time_ns in (0.0, 1.0, 30.0, 400.0):
        states = expm(system * time_ns) @ [1 / preamp, 0, 0, 0]
        found = Shaper(params).impulse_response(time_ns)
        assert found == pytest.approx(states[2] - states[3], abs=1e-10)


def test_noise_autocorrelation_is_that_of_the_impulse_response():
    shaper = Shaper(simulate_params().pulse)
    step_ns = 0.25
    response = shaper.impulse_response(np.arange(0, 800, step_ns))
    lag = int(25 / step_ns)
    overlaps = [response[: response.size - k * lag] @ response[k * lag :] for k in range(8)]
    assert shaper.noise_autocorrelation(8) == pytest.approx(
        np.array(overlaps) / overlaps[0], abs=1e-4
    )
