"""Figures that describe a sequence: mean square, occupancy, noise."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.base.units import MEV_PER_GEV
from pipeline.detector.sequences.sequence_file import Sequences

QUIET_BC = 32
"""BCs without injected deposit that make a sample quiet: longer than a pulse, 26 BC."""


class Summary(NamedTuple):
    """Figures of one sequence.

    Attributes
    ----------
    n_bc : int
        Length.
    mean_square_et_gev2 : float
        Mean over all BCs of the squared true E_T, GeV^2.
    occupancy : float
        Fraction of BCs with any true E_T.
    noise_mev : float or None
        Standard deviation of the quiet samples, MeV: those with no injected deposit in
        their own BC and the 31 before it. It holds electronics noise and pile-up,
        in-time and out-of-time. None without quiet samples.
    """

    n_bc: int
    mean_square_et_gev2: float
    occupancy: float
    noise_mev: float | None

    def metrics(self) -> dict[str, Any]:
        """Figures by name; one that is not defined is left out."""
        return {name: value for name, value in self._asdict().items() if value is not None}


def summarise(chunks: Iterable[Sequences]) -> Summary:
    """Describe a sequence that comes in consecutive chunks, at least one BC long.

    Sums are exact to the last bit (`math.fsum`): those of BLAS depend on the processor, and
    a tracked figure must not.
    """
    n_bc = n_hit = n_quiet = 0
    sum_square = sum_quiet = sum_square_quiet = 0.0
    # Before the first BC nothing is known, so nothing there counts as quiet.
    since_deposit = 0
    for chunk in chunks:
        hit = chunk.hit_et_gev.astype(np.float64)
        n_bc += hit.size
        n_hit += int(np.count_nonzero(hit))
        sum_square += math.fsum(hit * hit)
        distance = _since_deposit(chunk.sig_et_gev, since_deposit)
        since_deposit = int(distance[-1])
        quiet = chunk.dig_et_gev[distance >= QUIET_BC].astype(np.float64)
        n_quiet += quiet.size
        sum_quiet += math.fsum(quiet)
        sum_square_quiet += math.fsum(quiet * quiet)
    noise_mev = None
    if n_quiet:
        variance_gev2 = sum_square_quiet / n_quiet - (sum_quiet / n_quiet) ** 2
        noise_mev = MEV_PER_GEV * math.sqrt(max(variance_gev2, 0.0))
    return Summary(n_bc, sum_square / n_bc, n_hit / n_bc, noise_mev)


def _since_deposit(sig_et_gev: NDArray[np.float32], before: int) -> NDArray[np.int64]:
    """Count BCs without injected deposit up to and with each BC; 0 where there is one.

    `before` is the count at the BC before the first.
    """
    index = np.arange(sig_et_gev.size)
    last = np.maximum.accumulate(np.where(sig_et_gev > 0, index, -1 - before))
    return np.asarray(index - last)
