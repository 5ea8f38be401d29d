"""Sections ``synthesize``, ``rtl``, ``implement`` and ``survey``: C++, Verilog, their tools."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from pipeline.base.identifiers import check_cpp_name, check_rtl_name
from pipeline.base.units import BC_NS, MAX_CELLS
from pipeline.params.section import (
    MAX_BC,
    MAX_MEV,
    MAX_NAME,
    MAX_SEED,
    MAX_TIMEOUT_S,
    Section,
)

_MAX_POINTS = 1000


# Pydantic reports a value that fits no branch of a union once for each branch.
def _number_or_names(value: Any) -> Any:
    if type(value) is int and 0 <= value <= _MAX_POINTS:
        return value
    if isinstance(value, list) and all(type(name) in (int, str) for name in value):
        return value
    raise ValueError(
        f"should be a number of points, 0 to {_MAX_POINTS}, or a list of names of trials"
    )


Points = Annotated[int | list[int | str], BeforeValidator(_number_or_names)]


class SynthesizeParams(Section):
    """The HLS projects and how exact they must be; see `pipeline.firmware.hls`."""

    backend: Literal["Vitis", "Vivado"] = Field(
        description="Whose scripts the project for AMD gets: Vitis HLS or Vivado HLS. The "
        "arithmetic is the same.",
    )
    part: str = Field(
        max_length=MAX_NAME,
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\z",
        description="Device of the project for AMD.",
    )
    intel_part: str = Field(
        max_length=MAX_NAME,
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\z",
        description="Device of the Quartus and oneAPI projects.",
    )
    clock_period_ns: float = Field(
        gt=0,
        le=1000,
        description="Clock of the HLS projects. 3.125 ns is 320 MHz, eight clocks in a BC: one "
        "network can serve eight cells.",
    )
    clock_uncertainty_percent: float = Field(
        ge=0,
        lt=100,
        description="Share of the period that HLS keeps for routing.",
    )
    project_name: Annotated[str, AfterValidator(check_cpp_name)] = Field(
        max_length=MAX_NAME,
        description="Name of the top function: a C++ identifier that is no reserved word.",
    )
    max_mismatch_mev: float = Field(
        ge=0,
        le=MAX_MEV,
        description="Largest difference between QKeras and the integer model that passes. 0 "
        "asks for equality; a value above 0 makes sense only where not even float64 holds a "
        "sum, and the error then says so.",
    )
    gate_table_size: int = Field(
        ge=16,
        le=32768,
        description="LSTM and GRU: entries in each table of sigmoid and tanh; a power of two. "
        "Intel's template counts them in 16 bits.",
    )
    max_gated_rms_mev: float = Field(
        gt=0,
        le=MAX_MEV,
        description="LSTM and GRU: RMS difference between C++ and QKeras above which the stage "
        "fails. 10 MeV turn an RMSE of 50 MeV into one of 51.",
    )

    @field_validator("gate_table_size")
    @classmethod
    def _address(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("must be a power of two")
        return value


class RtlParams(Section):
    """The RTL and its simulation; see `pipeline.firmware.rtl.project`."""

    top: Annotated[str, AfterValidator(check_rtl_name)] = Field(
        max_length=MAX_NAME,
        description="Name of the top module: letters, digits and single underscores; no "
        "reserved word of SystemVerilog or VHDL.",
    )
    adders_per_stage: int = Field(ge=1, le=64, description="Adders in a row between two registers.")
    clock_period_ns: float = Field(
        gt=0,
        le=BC_NS,
        description="Clock that is aimed at: it stands in the constraints, and turns cycles "
        "into ns.",
    )
    cells: int = Field(
        ge=1,
        le=MAX_CELLS,
        description="Cells that share one streaming core, which takes one sample a clock. "
        "`cells` x `clock_period_ns` may not exceed 25 ns.",
    )
    stream_windows: int = Field(
        ge=1,
        le=MAX_BC,
        description="Windows in the simulation of the streaming core.",
    )
    stream_gap_probability: float = Field(
        ge=0,
        lt=1,
        description="Mean number of empty clocks in it for each sample.",
    )
    stream_seed: int = Field(ge=0, le=MAX_SEED, description="Seed of its random gaps and faults.")
    event_windows: int = Field(
        ge=0,
        le=1_000_000,
        description="Windows for the simulators Icarus and GHDL, where they are installed; they "
        "are slow. 0 for none.",
    )

    @model_validator(mode="after")
    def _keeps_up(self) -> Self:
        if self.cells * self.clock_period_ns > BC_NS:
            raise ValueError(
                f"cells * clock_period_ns is {self.cells * self.clock_period_ns:g} ns, "
                f"but each cell sends a sample every {BC_NS:g} ns"
            )
        return self


class ImplementParams(Section):
    """Synthesis, place and route; see `pipeline.firmware.synthesis.yosys`."""

    families: list[Literal["xcup", "cyclonev", "ecp5"]] = Field(
        min_length=1,
        description="FPGA families that Yosys synthesises the streaming core for: AMD "
        "UltraScale+, Intel Cyclone V, Lattice ECP5.",
    )
    netlist_windows: int = Field(
        ge=1, le=10_000_000, description="Windows in the simulation of each netlist."
    )
    route: bool = Field(
        description="Whether nextpnr places and routes the ECP5 netlist; that gives a clock.",
    )
    seed: int = Field(
        ge=0,
        le=MAX_SEED,
        description="Seed of the placer and of the random stream through the netlists.",
    )
    intel_device: str = Field(
        max_length=MAX_NAME,
        pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\z",
        description="Device for Quartus, where it is installed.",
    )
    timeout_s: float = Field(
        gt=0,
        le=MAX_TIMEOUT_S,
        description="Time limit for each run of Yosys, nextpnr or a vendor's tool.",
    )

    @model_validator(mode="after")
    def _no_family_twice(self) -> Self:
        if len(set(self.families)) < len(self.families):
            raise ValueError("families must not repeat a family")
        return self


class SurveyParams(Section):
    """Area against RMSE of several networks; see `pipeline.firmware.survey.survey`."""

    points: Points = Field(
        description="How many points of the search's front to build at most, evenly spread, "
        "both ends included; or a list of trials in models/search.json.",
    )
    uniform_bits: list[Annotated[int, Field(ge=2, le=24)]] = Field(
        description="Uniform networks to build as well; each must be in `search.uniform_bits`.",
    )
    family: Literal["xcup", "cyclonev", "ecp5"] = Field(
        description="FPGA family that Yosys synthesises them for.",
    )
    windows: int = Field(
        ge=1, le=MAX_BC, description="Windows in the simulation of each streaming core."
    )
    netlist_windows: int = Field(
        ge=0,
        le=10_000_000,
        description="Windows in the simulation of each netlist, which costs about a minute "
        "each; 0 for none.",
    )

    @model_validator(mode="after")
    def _no_network_twice(self) -> Self:
        if len(set(self.uniform_bits)) < len(self.uniform_bits):
            raise ValueError("uniform_bits must not repeat a number of bits")
        return self
