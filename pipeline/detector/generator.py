"""The generator: deposits, samples and OFMax of one cell, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.base.arrays import F32
from pipeline.base.units import GEV_PER_MEV
from pipeline.detector.deposits import PileupStream, SignalStream, mean_square_hits_gev2
from pipeline.detector.digitisation import NOISE_TAPS, CausalFilter, NoiseStream, digitise
from pipeline.detector.optimal_filter import (
    Coefficients,
    MaximumFinder,
    coefficients,
    total_autocorrelation,
)
from pipeline.detector.pulse import Pulse
from pipeline.detector.sequences.sequence_file import Sequences
from pipeline.params.detector import SimulateParams


def optimal_filter(params: SimulateParams) -> Coefficients:
    """Optimal filter coefficients of the simulated cell.

    The noise is that of electronics and pile-up with every BC filled.
    """
    pulse = Pulse(params.pulse)
    n_samples = params.optimal_filter.n_samples
    noise_gev2 = (GEV_PER_MEV * params.noise.rms_mev) ** 2
    return coefficients(
        pulse.samples(n_samples),
        pulse.derivative_samples(n_samples),
        total_autocorrelation(
            noise_gev2 * pulse.shaper.noise_autocorrelation(n_samples),
            pulse.samples(),
            mean_square_hits_gev2(params.pileup),
        ),
    )


def generate(params: SimulateParams) -> Iterator[Sequences]:
    """Yield ``n_bc`` BCs in chunks of at most ``chunk_bc``.

    Memory is set by the chunk, not by the length, and the values do not depend on
    the chunk: every random stream draws in the order of the BCs, and the filters
    carry their history. BC ``i`` holds the deposit whose pulse starts in sample ``i``.
    """
    cell = _Cell(params)
    end_bc = params.n_bc + cell.delay_bc
    for start_bc in range(cell.first_bc, end_bc, params.chunk_bc):
        stop_bc = min(start_bc + params.chunk_bc, end_bc)
        sequences = cell.advance(start_bc, stop_bc)
        n_early = max(0, cell.delay_bc - start_bc)
        if n_early < stop_bc - start_bc:
            yield Sequences(*(values[n_early:] for values in sequences))


class _Cell:
    """All streams of one cell, advanced together.

    Attributes
    ----------
    delay_bc : int
        Results lag this far behind the samples: OFMax needs later samples.
    first_bc : int
        Where the streams start: one pulse and one noise filter before the first
        result, so that out-of-time pile-up and noise are stationary from BC 0 on.
    """

    def __init__(self, params: SimulateParams) -> None:
        pulse = Pulse(params.pulse)
        seeds = np.random.SeedSequence(params.seed).spawn(5)
        self._adc = params.adc
        self._shape = CausalFilter(pulse.samples())
        self._find_maxima = MaximumFinder(optimal_filter(params).amplitude)
        self.delay_bc = self._find_maxima.delay_bc
        self.first_bc = -max(pulse.n_samples(), NOISE_TAPS) - self.delay_bc
        self._pileup = PileupStream(params.pileup, params.bunch_train, seeds[0], seeds[1])
        self._signal = SignalStream(
            params.signal, params.bunch_train, seeds[2], seeds[3], self.first_bc
        )
        self._noise = NoiseStream(GEV_PER_MEV * params.noise.rms_mev, pulse.shaper, seeds[4])
        self._waiting = np.zeros((3, self.delay_bc), dtype=np.float32)

    def advance(self, start_bc: int, stop_bc: int) -> Sequences:
        """Simulate samples ``start_bc .. stop_bc - 1``; return BCs `delay_bc` earlier."""
        bc = np.arange(start_bc, stop_bc)
        sig = self._signal.draw(bc)
        hit = sig + self._pileup.draw(bc)
        dig = digitise(self._shape(hit) + self._noise.draw(bc.size), self._adc)
        ofmax = self._find_maxima(dig.astype(np.float64)).astype(np.float32)
        dig, hit32, sig32 = self._delay(np.stack([dig, hit, sig], dtype=np.float32))
        return Sequences(dig, hit32, ofmax, sig32)

    def _delay(self, rows: F32) -> F32:
        """Hold back the newest `delay_bc` columns, ``(3, n) -> (3, n)``."""
        known: F32 = np.concatenate([self._waiting, rows], axis=1)
        self._waiting = known[:, rows.shape[1] :]
        return known[:, : rows.shape[1]]
