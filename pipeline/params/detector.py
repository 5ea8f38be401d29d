"""Sections ``data``, ``simulate`` and ``prepare``: samples and windows."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from pipeline.params.section import MAX_BC, MAX_MEV, MAX_SEED, Section

SIMULATED = Path("data/raw/simulated.h5")  # what the stage `simulate` writes


class DataParams(Section):
    """Where the samples come from."""

    file: str = Field(
        min_length=1,
        description="The sequence file that `prepare` reads, HDF5 or ROOT: the file of "
        "`simulate`, or one of your own.",
    )


class PulseParams(Section):
    """Ionisation pulse and shaper; see `pipeline.detector.pulse`."""

    drift_time_ns: float = Field(
        gt=0,
        le=10_000,
        description="t_d, length of the triangular ionisation current.",
    )
    shaper_time_ns: float = Field(
        gt=0, le=1000, description="tau, time constant of the CR-(RC)^2 shaper."
    )
    preamp_time_ns: float = Field(
        gt=0, le=1000, description="RC, time constant of the preamplifier."
    )


class PileupParams(Section):
    """Minimum-bias deposits in the cell."""

    mean_interactions: float = Field(
        ge=0,
        le=10_000,
        description="mu, mean number of inelastic collisions in a BC.",
    )
    mean_et_mev: float = Field(
        ge=0,
        le=MAX_MEV,
        description="Mean E_T that they leave in the cell, summed over a BC; 0 for no pile-up.",
    )
    hit_probability: float = Field(
        gt=0,
        le=1,
        description="Probability that one collision leaves any E_T in the cell.",
    )
    tail_shape: float = Field(
        gt=0,
        le=10,
        description="sigma of the log-normal E_T of one hit: the larger, the longer the tail.",
    )


class BunchTrainParams(Section):
    """Filling pattern; ``filled_bc = 0`` fills every bunch crossing."""

    filled_bc: int = Field(
        ge=0, le=1_000_000, description="BCs with collisions in each train; 0 fills every BC."
    )
    empty_bc: int = Field(
        ge=0,
        le=1_000_000,
        description="BCs without collisions after each train; must be 0 where `filled_bc` is 0.",
    )

    @model_validator(mode="after")
    def _flat(self) -> Self:
        if self.filled_bc == 0 and self.empty_bc > 0:
            raise ValueError("empty_bc must be 0 where filled_bc is 0 (every BC is filled)")
        return self


class SignalParams(Section):
    """Injected deposits with random gap and random energy."""

    max_et_gev: float = Field(
        gt=0,
        le=10_000,
        description="The E_T of an injected deposit is uniform between 0 and this.",
    )
    mean_gap_bc: float = Field(
        ge=1, le=1_000_000, description="Mean distance between injected deposits."
    )
    std_gap_bc: float = Field(
        ge=0,
        le=1_000_000,
        description="Standard deviation of that distance, which is normal, rounded and at least "
        "1 BC.",
    )


class NoiseParams(Section):
    """Electronics noise after the shaper."""

    rms_mev: float = Field(
        ge=0, le=MAX_MEV, description="RMS of the electronics noise after the shaper."
    )


class AdcParams(Section):
    """Analogue-to-digital converter."""

    lsb_mev: float = Field(
        gt=0,
        le=MAX_MEV,
        description="Step of the ADC. 7.8125 MeV is 16 GeV / 2^11, so that scaled samples are "
        "exact in fixed point.",
    )
    bits: int = Field(ge=2, le=24, description="Bits of the ADC.")
    pedestal_counts: int = Field(
        ge=0,
        le=2**24 - 1,
        description="ADC counts for no signal; below 2^bits. It is subtracted again.",
    )

    @model_validator(mode="after")
    def _pedestal_fits(self) -> Self:
        if self.pedestal_counts >= 2**self.bits:
            raise ValueError("pedestal_counts must stay below 2^bits")
        return self


class OptimalFilterParams(Section):
    """Optimal filter of the OFMax reference."""

    n_samples: int = Field(
        ge=3,
        le=32,
        description="Samples of the optimal filter, from the BC of the deposit on.",
    )


class SimulateParams(Section):
    """The built-in generator."""

    seed: int = Field(ge=0, le=MAX_SEED, description="Seed of all random streams.")
    n_bc: int = Field(ge=1, le=MAX_BC, description="Length of the sequence in BCs.")
    chunk_bc: int = Field(
        ge=64,
        le=2**26,
        description="BCs held in memory at once; the result does not depend on it.",
    )
    pulse: PulseParams
    pileup: PileupParams
    bunch_train: BunchTrainParams
    signal: SignalParams
    noise: NoiseParams
    adc: AdcParams
    optimal_filter: OptimalFilterParams


class PrepareParams(Section):
    """Window geometry, scale and split."""

    window_length: int = Field(
        ge=1,
        le=256,
        description="L, samples in one window, which is what the network reads.",
    )
    target_lag: int = Field(
        ge=0,
        le=256,
        description="The target of window i is the true E_T of sample i + L - `target_lag`: "
        "with L = 5, 5 is the first sample of the window and 1 the last. At most "
        "`window_length`.",
    )
    et_scale_gev: float = Field(
        gt=0, le=1_000_000, description="Samples and targets are divided by this."
    )
    train_fraction: float = Field(
        gt=0,
        lt=1,
        description="Fraction of the windows, from the start, for training.",
    )
    validation_fraction: float = Field(
        gt=0,
        lt=1,
        description="Fraction of the windows after those, for validation; the rest is the test "
        "split. Both together must stay below 1.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.target_lag > self.window_length:
            raise ValueError("target_lag must not exceed window_length")
        if self.train_fraction + self.validation_fraction >= 1:
            raise ValueError("train_fraction + validation_fraction must stay below 1")
        return self
