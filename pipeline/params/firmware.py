"""Sections ``synthesize``, ``rtl``, ``implement`` and ``survey``: C++, Verilog, their tools."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from pipeline.base.units import BC_NS
from pipeline.params.identifiers import check_cpp_name, check_rtl_name
from pipeline.params.section import Section


# Pydantic reports a value that fits no branch of a union once for each branch.
def _number_or_names(value: Any) -> Any:
    if type(value) is int and value >= 0:
        return value
    if isinstance(value, list) and all(type(name) in (int, str) for name in value):
        return value
    raise ValueError("should be a number of points, 0 or more, or a list of names of trials")


Points = Annotated[int | list[int | str], BeforeValidator(_number_or_names)]


class SynthesizeParams(Section):
    """The HLS project and how exact it must be; see `pipeline.firmware`."""

    backend: Literal["Vitis", "Vivado"]
    part: str = Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\z")
    intel_part: str = Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\z")
    clock_period_ns: float = Field(gt=0)
    clock_uncertainty_percent: float = Field(ge=0, lt=100)
    project_name: Annotated[str, AfterValidator(check_cpp_name)]
    max_mismatch_mev: float = Field(ge=0)
    gate_table_size: int = Field(ge=16, le=32768)
    max_gated_rms_mev: float = Field(gt=0)

    @field_validator("gate_table_size")
    @classmethod
    def _address(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("must be a power of two")
        return value


class RtlParams(Section):
    """The RTL and its simulation; see `pipeline.firmware.rtl.project`."""

    top: Annotated[str, AfterValidator(check_rtl_name)]
    adders_per_stage: int = Field(ge=1, le=64)
    clock_period_ns: float = Field(gt=0)
    cells: int = Field(ge=1, le=1024)
    stream_windows: int = Field(ge=1)
    stream_gap_probability: float = Field(ge=0, lt=1)
    stream_seed: int = Field(ge=0)
    event_windows: int = Field(ge=0)

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

    families: list[Literal["xcup", "cyclonev", "ecp5"]] = Field(min_length=1)
    netlist_windows: int = Field(ge=1)
    route: bool
    seed: int = Field(ge=0)
    intel_device: str = Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]*\z")
    timeout_s: float = Field(gt=0)

    @model_validator(mode="after")
    def _no_family_twice(self) -> Self:
        if len(set(self.families)) < len(self.families):
            raise ValueError("families must not repeat a family")
        return self


class SurveyParams(Section):
    """Area against RMSE of several networks; see `pipeline.firmware.survey.survey`."""

    points: Points
    uniform_bits: list[int]
    family: Literal["xcup", "cyclonev", "ecp5"]
    windows: int = Field(ge=1)
    netlist_windows: int = Field(ge=0)

    @model_validator(mode="after")
    def _no_network_twice(self) -> Self:
        if len(set(self.uniform_bits)) < len(self.uniform_bits):
            raise ValueError("uniform_bits must not repeat a number of bits")
        return self
