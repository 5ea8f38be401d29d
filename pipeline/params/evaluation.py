"""Section ``evaluate``: classes, bins and labels."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.params.section import MAX_BC, MAX_MEV, MAX_TEXT, Section


class EvaluateParams(Section):
    """Classes, bins and labels of the evaluation; see `pipeline.evaluation`."""

    label: str = Field(
        max_length=MAX_TEXT,
        description="Text on every figure; `{mu}` in it becomes "
        "`simulate.pileup.mean_interactions`.",
    )
    low_et_mev: float = Field(
        gt=0,
        le=MAX_MEV,
        description="True E_T at which class `low` ends and class `high` begins.",
    )
    high_et_mev: float = Field(
        gt=0,
        le=MAX_MEV,
        description="True E_T at which the class of the highest energies begins; above "
        "`low_et_mev`.",
    )
    gap_edges_bc: list[Annotated[int, Field(ge=1, le=MAX_BC)]] = Field(
        min_length=1,
        description="The last gap of each gap class, increasing; one more class holds all "
        "longer gaps.",
    )
    residual_range_mev: float = Field(
        gt=0,
        le=MAX_MEV,
        description="Residual histograms reach from minus this to plus this.",
    )
    residual_bin_mev: float = Field(
        gt=0,
        le=MAX_MEV,
        description="Bin width of the residual histograms; at least 1/1000 of the range.",
    )
    response_bin_mev: float = Field(
        gt=0,
        le=MAX_MEV,
        description="Bin width in true E_T of the response figure.",
    )
    stretch_start_bc: int = Field(
        ge=0,
        le=MAX_BC,
        description="First BC, counted in the test split, of the stretch that is drawn sample "
        "by sample.",
    )
    stretch_length_bc: int = Field(ge=2, le=1000, description="BCs in that stretch.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        edges = self.gap_edges_bc
        if edges[0] < 1 or any(a >= b for a, b in pairwise(edges)):
            raise ValueError("gap_edges_bc must be positive and increase")
        if self.high_et_mev <= self.low_et_mev:
            raise ValueError("high_et_mev must exceed low_et_mev")
        if self.residual_bin_mev > self.residual_range_mev:
            raise ValueError("residual_bin_mev must not exceed residual_range_mev")
        if self.residual_range_mev / self.residual_bin_mev > 1000:
            raise ValueError("residual_range_mev / residual_bin_mev must not exceed 1000")
        return self
