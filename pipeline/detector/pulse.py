"""Pulse shape of one cell and the autocorrelation of the noise behind the shaper.

The readout chain is a preamplifier (one pole, time constant ``RC``) followed by
a CR-(RC)^2 shaper of time constant ``tau``. Its transfer function

    H(s) = s tau / [(1 + s RC) (1 + s tau)^3]

is written here as a linear system of four one-pole stages, ``x' = A x + b u``,
``y = c x``. Pulse, derivative and noise then come from one description and are
exact for every pair of time constants, ``RC = tau`` included.

The ionisation current is a triangle, ``i(t) = 1 - t / t_d`` for ``0 <= t <= t_d``.
With ``G`` the step response of the chain the pulse is

    g(t) = G(t) - [R(t) - R(t - t_d)] / t_d,    R(t) = integral of G,

which is the textbook form (W. E. Cleland and E. G. Stern, NIM A338 (1994) 467).
"""

from __future__ import annotations

from math import factorial

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.optimize import minimize_scalar
from scipy.special import hyp1f1

from pipeline.base.arrays import F64
from pipeline.base.units import BC_NS
from pipeline.params.detector import PulseParams

TAIL_FRACTION = 1e-3
"""A pulse ends where it stays below this fraction of its peak."""


class Shaper:
    """Preamplifier and CR-(RC)^2 shaper as a linear system.

    Parameters
    ----------
    params
        Time constants, ns.

    Notes
    -----
    States ``x1 .. x4`` are the outputs of one pole of ``RC`` and three of ``tau``
    in a row. The high pass is the difference ``x3 - x4``, because
    ``tau x4' = x3 - x4``.
    """

    def __init__(self, params: PulseParams) -> None:
        tau, preamp = params.shaper_time_ns, params.preamp_time_ns
        self.shaper_time_ns = tau
        self.preamp_time_ns = preamp
        self._a = np.array(
            [
                [-1 / preamp, 0, 0, 0],
                [1 / tau, -1 / tau, 0, 0],
                [0, 1 / tau, -1 / tau, 0],
                [0, 0, 1 / tau, -1 / tau],
            ]
        )
        self._b = np.array([1 / preamp, 0, 0, 0])
        self._c = np.array([0.0, 0.0, 1.0, -1.0])

    def _states(self, time_ns: ArrayLike) -> F64:
        """States after a unit impulse at t = 0, ``(..., 4)`` in 1/ns; 0 before it."""
        time = np.asarray(time_ns, dtype=np.float64)
        after = np.maximum(time, 0.0)
        slow, fast = 1 / self.preamp_time_ns, 1 / self.shaper_time_ns
        states = [slow * np.exp(-slow * after)]
        states += [slow * _cascade(n, fast, slow, after) for n in (1, 2, 3)]
        return np.asarray(np.stack(states, axis=-1) * (time >= 0)[..., None])

    def impulse_response(self, time_ns: ArrayLike) -> F64:
        """Output after a unit impulse of current at t = 0, 1/ns."""
        return np.asarray(self._states(time_ns) @ self._c)

    def step_response(self, time_ns: ArrayLike) -> F64:
        """Output ``G`` after a unit step of current at t = 0."""
        return self.shaper_time_ns * self._states(time_ns)[..., 3]

    def step_integral(self, time_ns: ArrayLike) -> F64:
        """Integral ``R`` of the step response from 0 to t, ns."""
        time = np.asarray(time_ns, dtype=np.float64)
        # Integrating x' = A x + b delta gives A (integral of x) = x - b for t > 0.
        integral = (self._states(time) - self._b) @ np.linalg.inv(self._a)[3]
        return np.asarray(self.shaper_time_ns * integral * (time >= 0))

    def noise_autocorrelation(self, n_lags: int) -> F64:
        """Autocorrelation of white noise behind the chain, one lag a BC.

        Parameters
        ----------
        n_lags
            Number of lags, lag 0 included.

        Returns
        -------
        ndarray, float64, ``(n_lags,)``
            ``R(k 25 ns) / R(0)``, with ``R(t) = c exp(A t) P c'`` and ``P`` the
            stationary covariance of the states: ``A P + P A' + b b' = 0``.
        """
        covariance = solve_continuous_lyapunov(self._a, -np.outer(self._b, self._b))
        one_bc = expm(self._a * BC_NS)
        lagged = covariance @ self._c
        values = np.empty(n_lags)
        for lag in range(n_lags):
            values[lag] = self._c @ lagged
            lagged = one_bc @ lagged
        return np.asarray(values / values[0])


def _cascade(n_stages: int, fast: float, slow: float, time_ns: F64) -> F64:
    """Answer of `n_stages` equal poles behind another to an impulse, times 1 / slow.

    The convolution of ``fast^n t^(n-1) / (n-1)! exp(-fast t)`` with ``exp(-slow t)`` is
    ``(fast t)^n / n! exp(-slow t) 1F1(n; n + 1; (slow - fast) t)``. Kummer's
    transformation keeps the last argument negative, where nothing overflows and
    nothing cancels; equal rates (argument 0) are an ordinary case. Rates in 1/ns.
    """
    rise = (fast * time_ns) ** n_stages / factorial(n_stages)
    if fast >= slow:
        shape = np.exp(-slow * time_ns) * hyp1f1(n_stages, n_stages + 1, (slow - fast) * time_ns)
    else:
        shape = np.exp(-fast * time_ns) * hyp1f1(1, n_stages + 1, (fast - slow) * time_ns)
    return np.asarray(rise * shape)


class Pulse:
    """Peak-normalised pulse of one deposit.

    Parameters
    ----------
    params
        Drift time and time constants, ns.

    Attributes
    ----------
    peak_time_ns : float
        Time of the maximum after the deposit.
    """

    def __init__(self, params: PulseParams) -> None:
        self._drift_time_ns = params.drift_time_ns
        self.shaper = Shaper(params)
        self._peak = 1.0
        rise_ns = params.preamp_time_ns + 3 * params.shaper_time_ns
        grid_ns = np.linspace(0.0, 2 * rise_ns, 257)
        best = int(np.argmax(self.shape(grid_ns)))
        bracket_ns = grid_ns[max(best - 1, 0)], grid_ns[min(best + 1, 256)]
        found = minimize_scalar(
            lambda t: -float(self.shape(t)), bounds=bracket_ns, options={"xatol": 1e-6}
        )
        self.peak_time_ns = float(found.x)
        self._peak = float(self.shape(self.peak_time_ns))

    def shape(self, time_ns: ArrayLike) -> F64:
        """Value of ``g`` at a time after the deposit; the peak is 1, before it 0."""
        time = np.asarray(time_ns, dtype=np.float64)
        drift, shaper = self._drift_time_ns, self.shaper
        collected = shaper.step_integral(time) - shaper.step_integral(time - drift)
        return np.asarray((shaper.step_response(time) - collected / drift) / self._peak)

    def derivative(self, time_ns: ArrayLike) -> F64:
        """Time derivative of `shape`, 1/ns."""
        time = np.asarray(time_ns, dtype=np.float64)
        drift, shaper = self._drift_time_ns, self.shaper
        collected = shaper.step_response(time) - shaper.step_response(time - drift)
        return np.asarray((shaper.impulse_response(time) - collected / drift) / self._peak)

    def n_samples(self) -> int:
        """Length in BC: one more than the last sample above `TAIL_FRACTION` of the peak."""
        longest_ns = self._drift_time_ns + 20 * (
            self.shaper.preamp_time_ns + self.shaper.shaper_time_ns
        )
        samples = np.abs(self.shape(np.arange(0.0, longest_ns, BC_NS)))
        return int(np.flatnonzero(samples > TAIL_FRACTION)[-1]) + 1

    def samples(self, n_samples: int | None = None) -> F64:
        """Sample the pulse 0, 25, 50 ... ns after the deposit, ``(n_samples,)``.

        The phase is 0: sample 0 lies in the BC of the deposit, where the pulse is
        still 0, and the peak (49.5 ns for the default cell) in sample 2.
        """
        count = self.n_samples() if n_samples is None else n_samples
        return self.shape(BC_NS * np.arange(count))

    def derivative_samples(self, n_samples: int) -> F64:
        """Take the derivative at 0, 25, 50 ... ns, ``(n_samples,)``, 1/ns."""
        return self.derivative(BC_NS * np.arange(n_samples))
