"""``models/implementation.json``: area, netlist check and clock of one streaming core."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.artifacts.design import RtlDesign
from pipeline.base.schema import Frozen

IMPLEMENTATION = Path("models/implementation.json")


class Routed(Frozen):
    """Result of place and route.

    Attributes
    ----------
    device
        The FPGA.
    version
        nextpnr's version.
    fmax_mhz
        Highest clock of the routed design.
    used
        Cells by type, those that are used.
    """

    device: str
    version: str
    fmax_mhz: float = Field(gt=0)
    used: dict[str, int]


class Implemented(Frozen):
    """One streaming core, synthesised for one family of FPGAs.

    Attributes
    ----------
    name, title
        The family: its key in parameters and metrics, and its name for people.
    tool
        Name, version and command of the synthesis.
    resources
        Units by resource.
    n_windows, mismatches
        Windows in the simulation of the netlist, 0 without one, and those whose energy
        differs from the integer model's.
    routed
        Place and route, for a family that has it.
    """

    name: str
    title: str
    tool: str
    resources: dict[str, int]
    n_windows: int = Field(ge=0)
    mismatches: int = Field(ge=0)
    routed: Routed | None = None


class Implementation(Frozen):
    """Content of ``models/implementation.json``.

    Attributes
    ----------
    no_rtl
        Why there is no RTL; then there is nothing else.
    design
        The RTL.
    families
        In the order of ``implement.families``.
    """

    schema_version: Literal[1] = 1
    no_rtl: str | None = None
    design: RtlDesign | None = None
    families: list[Implemented] = Field(default_factory=list)

    @model_validator(mode="after")
    def _rtl_or_reason(self) -> Self:
        if (self.design is None) != (self.no_rtl is not None):
            raise ValueError("expected a design, or else the reason why there is no RTL")
        return self
