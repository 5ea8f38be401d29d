"""Section ``energy``: what one inference costs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.section import MAX_TEXT, Section

Memory = Literal["sram", "dram", "fixed"]


class EnergyParams(Section):
    """QTools' energy model; lists of two are ``[reference, trial]``."""

    process: Literal["horowitz"] = Field(
        description="Source of the energies: M. Horowitz, ISSCC 2014, 45 nm.",
    )
    parameters_on_memory: list[Memory] = Field(
        min_length=2,
        max_length=2,
        description="Where the weights lie, for [reference, trial]. `fixed` is wired and costs "
        "nothing.",
    )
    activations_on_memory: list[Memory] = Field(
        min_length=2,
        max_length=2,
        description="Where activations and states lie, for [reference, trial].",
    )
    min_sram_size_bits: list[Annotated[int, Field(ge=0, le=2**40)]] = Field(
        min_length=2,
        max_length=2,
        description="Size of the smallest SRAM, for [reference, trial].",
    )
    rd_wr_on_io: list[bool] = Field(
        min_length=2,
        max_length=2,
        description="Whether input and output of the network lie in DRAM, for [reference, trial].",
    )
    reference_internal: Literal["fp32", "fp16", "int8", "int16", "int32"] = Field(
        description="Type of weights, states and input in the reference network.",
    )
    reference_accumulator: Literal["fp32", "fp16", "int32", "int16"] = Field(
        description="Type of products and sums in the reference network.",
    )
    source_quantizer: str | None = Field(
        min_length=1,
        max_length=MAX_TEXT,
        description="What the samples are priced as in a trial, AutoQKeras' source quantizer: "
        "`fp32`, `fp16`, `int8`, `int16`, `int32` or a quantizer. The samples stay what "
        "`search.input_quantizer` makes of them. null: they are priced as that.",
    )
