"""Optimal filter with maximum finder (OFMax), the field's present reference.

W. E. Cleland and E. G. Stern, NIM A338 (1994) 467: the linear combination of
``n`` samples with the least variance that is unbiased in amplitude and blind, to
first order, to a shift in time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import inv, toeplitz

from pipeline.base.arrays import F64
from pipeline.detector.digitisation import CausalFilter


class Coefficients(NamedTuple):
    """Weights of ``n`` samples, ``(n,)`` each, float64.

    ``amplitude @ samples`` is the amplitude A; ``time_ns @ samples`` is A times the
    delay of the pulse, in ns, for small delays.
    """

    amplitude: F64
    time_ns: F64


def total_autocorrelation(
    electronics_gev2: F64, pulse_samples: F64, mean_square_hits_gev2: float
) -> F64:
    """Autocovariance of electronics noise and shaped pile-up together.

    Parameters
    ----------
    electronics_gev2
        Autocovariance of the electronics noise, ``(n_lags,)``.
    pulse_samples
        The whole pulse, one sample a BC.
    mean_square_hits_gev2
        Mean sum of squared pile-up deposits in one BC.

    Returns
    -------
    ndarray, float64, ``(n_lags,)``
        GeV^2. Shaped pile-up is a compound Poisson process seen through the pulse;
        by Campbell's theorem its autocovariance is
        ``<sum of E^2> * sum_k g[k] g[k + lag]``.
    """
    n_lags = electronics_gev2.size
    padded = np.concatenate([pulse_samples, np.zeros(n_lags)])
    overlap = np.array(
        [pulse_samples @ padded[lag : lag + pulse_samples.size] for lag in range(n_lags)]
    )
    return electronics_gev2 + mean_square_hits_gev2 * overlap


def coefficients(pulse: F64, derivative: F64, autocorrelation: F64) -> Coefficients:
    """Optimal filter coefficients.

    Parameters
    ----------
    pulse, derivative
        Pulse and its time derivative (1/ns) at the samples, ``(n,)``, n >= 3.
    autocorrelation
        Noise autocorrelation at lags ``0 .. n - 1``, ``(n,)``, any scale.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the autocorrelation matrix is singular.

    Notes
    -----
    With V the inverse of the autocorrelation matrix, ``Q1 = g'Vg``, ``Q2 = dg'Vdg``,
    ``Q3 = dg'Vg`` and ``D = Q1 Q2 - Q3^2``:
    ``a = (Q2 / D) V g - (Q3 / D) V dg``, ``b = (Q3 / D) V g - (Q1 / D) V dg``.
    """
    # Without any noise every unbiased filter is optimal: take the one for white noise.
    covariance = toeplitz(autocorrelation) if autocorrelation[0] > 0 else np.eye(pulse.size)
    weight = inv(covariance)
    weighted_pulse, weighted_slope = weight @ pulse, weight @ derivative
    q1, q2, q3 = pulse @ weighted_pulse, derivative @ weighted_slope, derivative @ weighted_pulse
    determinant = q1 * q2 - q3 * q3
    return Coefficients(
        amplitude=(q2 * weighted_pulse - q3 * weighted_slope) / determinant,
        time_ns=(q3 * weighted_pulse - q1 * weighted_slope) / determinant,
    )


class MaximumFinder:
    """Optimal filter and maximum finder on a running sequence.

    The filter's output at BC ``i`` uses samples ``i .. i + n - 1``, so a pulse of a
    deposit in BC ``i`` gives its maximum at ``i``. The output is kept where it is
    positive, above its predecessor and not below its successor, else it is 0.

    Parameters
    ----------
    amplitude
        Coefficients ``a``, ``(n,)``.

    Attributes
    ----------
    delay_bc : int
        How many samples after its BC an output is known: ``n - 1`` later samples and
        one later output.
    """

    def __init__(self, amplitude: F64) -> None:
        self._filter = CausalFilter(amplitude[::-1])
        self._tail = np.zeros(2)
        self.delay_bc = int(amplitude.size)

    def __call__(self, samples_gev: F64) -> F64:
        """OFMax, GeV, ``(n,)``: output ``k`` belongs `delay_bc` BCs before sample ``k``."""
        outputs = np.concatenate([self._tail, self._filter(samples_gev)])
        before, here, after = outputs[:-2], outputs[1:-1], outputs[2:]
        self._tail = outputs[-2:]
        is_maximum = (here > 0) & (here > before) & (here >= after)
        return np.where(is_maximum, here, 0.0)
