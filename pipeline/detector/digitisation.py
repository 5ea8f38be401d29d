"""From deposits to samples: shaping, electronics noise and the ADC."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cholesky, toeplitz

from pipeline.base.arrays import F32, F64
from pipeline.base.units import GEV_PER_MEV
from pipeline.detector.pulse import Shaper
from pipeline.params.detector import AdcParams

NOISE_TAPS = 64
"""Length of the noise filter; its autocorrelation is right to 2e-4 of the variance."""


class CausalFilter:
    """Convolution that carries its history from chunk to chunk.

    The taps are added one after the other in a fixed order, so that each output is
    the same to the last bit for every chunk size and every machine.

    Parameters
    ----------
    taps
        Impulse response, ``(n_taps,)``: ``y[i] = sum_k taps[k] x[i - k]``.
    """

    def __init__(self, taps: ArrayLike) -> None:
        self._taps: F64 = np.asarray(taps, dtype=np.float64)
        self._history = np.zeros(self._taps.size - 1)

    def __call__(self, values: F64) -> F64:
        """Filter the next values, ``(n,) -> (n,)``."""
        padded = np.concatenate([self._history, values])
        first = self._history.size
        filtered: F64 = self._taps[0] * values
        for lag, tap in enumerate(self._taps[1:], start=1):
            filtered += tap * padded[first - lag : padded.size - lag]
        self._history = padded[padded.size - first :]
        return filtered


def noise_taps(shaper: Shaper) -> F64:
    """Filter that gives white noise the autocorrelation of the shaper.

    Returns
    -------
    ndarray, float64, ``(NOISE_TAPS,)``
        Minimum-phase taps with a sum of squares of 1. They are the last row of the
        Cholesky factor of the covariance: how the newest sample is made of
        independent ones.
    """
    covariance = toeplitz(shaper.noise_autocorrelation(NOISE_TAPS))
    return np.asarray(cholesky(covariance, lower=True)[-1, ::-1])


class NoiseStream:
    """Electronics noise behind the shaper, drawn in the order of the BCs.

    Parameters
    ----------
    rms_gev
        Standard deviation of one sample.
    shaper
        Gives the autocorrelation.
    seed
        Seed of the random stream.
    """

    def __init__(self, rms_gev: float, shaper: Shaper, seed: np.random.SeedSequence) -> None:
        self._rms_gev = rms_gev
        self._white = np.random.default_rng(seed)
        self._filter = CausalFilter(noise_taps(shaper))

    def draw(self, n_bc: int) -> F64:
        """Noise of the next samples, GeV, ``(n_bc,)``."""
        return self._rms_gev * self._filter(self._white.standard_normal(n_bc))


def digitise(samples_gev: F64, adc: AdcParams) -> F32:
    """Round to counts, saturate at both ends, subtract the pedestal.

    Parameters
    ----------
    samples_gev
        Shaped samples with noise, ``(n,)``.
    adc
        Step, bits and pedestal.

    Returns
    -------
    ndarray, float32, ``(n,)``
        Multiples of the step between ``-pedestal`` and ``2^bits - 1 - pedestal``
        counts, GeV. Halves go to the even count.
    """
    lsb_gev = GEV_PER_MEV * adc.lsb_mev
    counts = np.rint(samples_gev / lsb_gev) + adc.pedestal_counts
    clipped = np.clip(counts, 0, 2**adc.bits - 1) - adc.pedestal_counts
    return np.asarray(clipped * lsb_gev, dtype=np.float32)
