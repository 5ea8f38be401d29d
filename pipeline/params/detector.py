"""Sections ``data``, ``simulate`` and ``prepare``: samples and windows."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from pipeline.params.section import MAX_SEED, Section


class DataParams(Section):
    """Where the samples come from."""

    file: str = Field(min_length=1)


class PulseParams(Section):
    """Ionisation pulse and shaper; see `pipeline.detector.pulse`."""

    drift_time_ns: float = Field(gt=0)
    shaper_time_ns: float = Field(gt=0)
    preamp_time_ns: float = Field(gt=0)


class PileupParams(Section):
    """Minimum-bias deposits in the cell."""

    mean_interactions: float = Field(ge=0)
    mean_et_mev: float = Field(ge=0)
    hit_probability: float = Field(gt=0, le=1)
    tail_shape: float = Field(gt=0)


class BunchTrainParams(Section):
    """Filling pattern; ``filled_bc = 0`` fills every bunch crossing."""

    filled_bc: int = Field(ge=0)
    empty_bc: int = Field(ge=0)

    @model_validator(mode="after")
    def _flat(self) -> Self:
        if self.filled_bc == 0 and self.empty_bc > 0:
            raise ValueError("empty_bc must be 0 where filled_bc is 0 (every BC is filled)")
        return self


class SignalParams(Section):
    """Injected deposits with random gap and random energy."""

    max_et_gev: float = Field(gt=0)
    mean_gap_bc: float = Field(ge=1)
    std_gap_bc: float = Field(ge=0)


class NoiseParams(Section):
    """Electronics noise after the shaper."""

    rms_mev: float = Field(ge=0)


class AdcParams(Section):
    """Analogue-to-digital converter."""

    lsb_mev: float = Field(gt=0)
    bits: int = Field(ge=2, le=24)
    pedestal_counts: int = Field(ge=0)

    @model_validator(mode="after")
    def _pedestal_fits(self) -> Self:
        if self.pedestal_counts >= 2**self.bits:
            raise ValueError("pedestal_counts must stay below 2^bits")
        return self


class OptimalFilterParams(Section):
    """Optimal filter of the OFMax reference."""

    n_samples: int = Field(ge=3, le=32)


class SimulateParams(Section):
    """The built-in generator."""

    seed: int = Field(ge=0, le=MAX_SEED)
    n_bc: int = Field(ge=1)
    chunk_bc: int = Field(ge=64)
    pulse: PulseParams
    pileup: PileupParams
    bunch_train: BunchTrainParams
    signal: SignalParams
    noise: NoiseParams
    adc: AdcParams
    optimal_filter: OptimalFilterParams


class PrepareParams(Section):
    """Window geometry, scale and split."""

    window_length: int = Field(ge=1, le=256)
    target_lag: int = Field(ge=0)
    et_scale_gev: float = Field(gt=0)
    train_fraction: float = Field(gt=0, lt=1)
    validation_fraction: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.target_lag > self.window_length:
            raise ValueError("target_lag must not exceed window_length")
        if self.train_fraction + self.validation_fraction >= 1:
            raise ValueError("train_fraction + validation_fraction must stay below 1")
        return self
