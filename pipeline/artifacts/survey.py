"""``models/survey.json``: several networks built alike, with RMSE, RTL and area."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.artifacts.design import RtlDesign
from pipeline.artifacts.implementation import Implemented
from pipeline.base.schema import Frozen

SURVEY = Path("models/survey.json")

Kind = Literal["finetuned", "front", "trial", "uniform"]


class StreamCheck(Frozen):
    """The simulated streaming core compared with the integer model.

    Attributes
    ----------
    n_windows, mismatches
        Windows compared, and those whose energies are not equal.
    max_difference_mev
        Largest difference.
    """

    n_windows: int = Field(ge=0)
    mismatches: int = Field(ge=0)
    max_difference_mev: float = Field(ge=0)


class SurveyedNetwork(Frozen):
    """One network of a survey.

    Attributes
    ----------
    name, kind
        In tables and figures; what kind of network it is.
    units
        Of the recurrent layer.
    bits
        Of every quantizer, by name as in ``metrics/finetune.json``.
    weight_bits, energy_pj
        Bits of all weights; energy of one inference, QTools' model.
    validation_rmse_mev
        Of the integer model, over all validation windows.
    float32_exact
        Whether float32, in which QKeras computes, holds every sum of it.
    design
        Its RTL.
    stream
        The simulated streaming core.
    core
        The streaming core after synthesis.
    """

    name: str
    kind: Kind
    units: int = Field(ge=1)
    bits: dict[str, int]
    weight_bits: int = Field(ge=1)
    energy_pj: float = Field(ge=0)
    validation_rmse_mev: float = Field(ge=0)
    float32_exact: bool
    design: RtlDesign
    stream: StreamCheck
    core: Implemented

    @property
    def latency_ns(self) -> float:
        """From the last sample of a window to its energy, at the stated clock."""
        return self.design.latency_cycles * self.design.clock_period_ns


class Survey(Frozen):
    """Content of ``models/survey.json``.

    Attributes
    ----------
    no_rtl
        Why there is no RTL; then there are no networks.
    networks
        The fine-tuned one first.
    """

    schema_version: Literal[1] = 1
    no_rtl: str | None = None
    networks: list[SurveyedNetwork] = Field(default_factory=list)

    @model_validator(mode="after")
    def _networks_or_reason(self) -> Self:
        if bool(self.networks) != (self.no_rtl is None):
            raise ValueError("expected networks, or else the reason why there is no RTL")
        return self
