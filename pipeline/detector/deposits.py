"""What the collisions leave in the cell: pile-up and injected signal, E_T per BC.

Every random stream owns a generator and draws strictly in the order of the BCs.
The drawn values therefore do not depend on how the sequence is cut into chunks,
and a longer sequence begins with the same values as a shorter one.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.base.arrays import F64, I64
from pipeline.base.units import GEV_PER_MEV
from pipeline.params.detector import BunchTrainParams, PileupParams, SignalParams

GAPS_DRAWN_AT_ONCE = 4096


def filled(bc: I64, train: BunchTrainParams) -> NDArray[np.bool_]:
    """Whether each BC holds collisions: `filled_bc` with, then `empty_bc` without."""
    if train.filled_bc == 0:
        return np.ones(bc.shape, dtype=np.bool_)
    return np.asarray(bc % (train.filled_bc + train.empty_bc) < train.filled_bc)


def hits_per_bc(params: PileupParams) -> float:
    """Mean number of collisions that leave E_T in the cell, a BC; 0 without pile-up."""
    if params.mean_et_mev == 0:
        return 0.0
    return params.mean_interactions * params.hit_probability


def mean_square_hits_gev2(params: PileupParams) -> float:
    """Mean over BCs of the summed squares of the pile-up hits, GeV^2.

    It sets the variance of shaped pile-up. The second moment of a log-normal
    variable is ``exp(2 m + 2 sigma^2)``.
    """
    rate = hits_per_bc(params)
    if rate == 0:
        return 0.0
    return rate * math.exp(2 * _log_mean_gev(params) + 2 * params.tail_shape**2)


def _log_mean_gev(params: PileupParams) -> float:
    """Parameter ``m`` of the log-normal energy, from its mean ``exp(m + sigma^2 / 2)``."""
    mean_hit_gev = GEV_PER_MEV * params.mean_et_mev / hits_per_bc(params)
    return math.log(mean_hit_gev) - 0.5 * params.tail_shape**2


class PileupStream:
    """Minimum-bias deposits.

    Each of Poisson(mu) collisions leaves E_T in the cell with a small probability
    p; the number of hits in a BC is then Poisson(mu p). The energy of a hit is
    log-normal, whose long tail stands for the rare hard collision.

    Parameters
    ----------
    params
        Mean number of collisions, hit probability, mean E_T a BC, tail.
    train
        Filling pattern.
    count_seed, energy_seed
        Seeds of the two random streams.
    """

    def __init__(
        self,
        params: PileupParams,
        train: BunchTrainParams,
        count_seed: np.random.SeedSequence,
        energy_seed: np.random.SeedSequence,
    ) -> None:
        self._train = train
        self._counts = np.random.default_rng(count_seed)
        self._energies = np.random.default_rng(energy_seed)
        self._hits_per_bc = hits_per_bc(params)
        self._sigma = params.tail_shape
        self._mu = _log_mean_gev(params) if self._hits_per_bc > 0 else 0.0

    def draw(self, bc: I64) -> F64:
        """E_T of the next BCs, GeV, ``(n,)``; `bc` must follow the last call's."""
        n_hits = self._counts.poisson(self._hits_per_bc, bc.size)
        n_hits[~filled(bc, self._train)] = 0
        energies_gev = self._energies.lognormal(self._mu, self._sigma, int(n_hits.sum()))
        owner = np.repeat(np.arange(bc.size), n_hits)
        et_gev = np.bincount(owner, weights=energies_gev, minlength=bc.size)
        return et_gev.astype(np.float64)


class SignalStream:
    """Injected deposits: uniform energy, normal distance in BC, at least 1.

    Parameters
    ----------
    params
        Largest energy, mean and standard deviation of the distance.
    train
        Filling pattern; an injection that meets an empty BC is left out.
    gap_seed, energy_seed
        Seeds of the two random streams.
    first_bc
        BC from which the first distance counts.
    """

    def __init__(
        self,
        params: SignalParams,
        train: BunchTrainParams,
        gap_seed: np.random.SeedSequence,
        energy_seed: np.random.SeedSequence,
        first_bc: int,
    ) -> None:
        self._params = params
        self._train = train
        self._gaps = np.random.default_rng(gap_seed)
        self._energies = np.random.default_rng(energy_seed)
        self._last_bc = first_bc
        self._positions: I64 = np.empty(0, dtype=np.int64)

    def draw(self, bc: I64) -> F64:
        """E_T of the next BCs, GeV, ``(n,)``; `bc` must follow the last call's."""
        while self._last_bc <= bc[-1]:
            self._draw_positions()
        count = int(np.searchsorted(self._positions, bc[-1], side="right"))
        here, self._positions = self._positions[:count], self._positions[count:]
        energies_gev = self._energies.uniform(0.0, self._params.max_et_gev, count)
        energies_gev[~filled(here, self._train)] = 0.0
        et_gev = np.zeros(bc.size)
        et_gev[here - bc[0]] = energies_gev
        return et_gev

    def _draw_positions(self) -> None:
        gaps = self._gaps.normal(
            self._params.mean_gap_bc, self._params.std_gap_bc, GAPS_DRAWN_AT_ONCE
        )
        steps = np.maximum(np.rint(gaps), 1.0).astype(np.int64)
        positions = self._last_bc + np.cumsum(steps)
        self._positions = np.concatenate([self._positions, positions])
        self._last_bc = int(positions[-1])
