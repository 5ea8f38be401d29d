"""``models/rtl/design.json``: ports, latency and clock of the RTL."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from pipeline.base.identifiers import check_rtl_name
from pipeline.base.schema import Frozen
from pipeline.base.units import MAX_CELLS

DESIGN = "design.json"  # in the directory of the RTL
MAX_SAMPLE_BITS = 32


class RtlDesign(Frozen):
    """What a reader of the RTL has to know.

    Everything is checked, since names and numbers go into scripts, text and sizes of arrays.

    Attributes
    ----------
    top, cells, clock_period_ns
        As in ``params.yaml``, section ``rtl``.
    window_length, sample_bits
        ``window`` has ``window_length * sample_bits`` bits, oldest sample lowest.
    energy_bits
        Bits of ``energy``: the output type.
    stages
        Stages of logic between registers.
    latency_cycles
        Clock edges from a window (the last sample of it) to its energy.
    adder_operations
        Operations that da4ml placed, a measure of size.
    """

    schema_version: Literal[1] = 1
    top: Annotated[str, AfterValidator(check_rtl_name)]
    cells: int = Field(ge=1, le=MAX_CELLS)
    clock_period_ns: float = Field(gt=0)
    window_length: int = Field(ge=1)
    sample_bits: int = Field(ge=1, le=MAX_SAMPLE_BITS)
    energy_bits: int = Field(ge=1, le=MAX_SAMPLE_BITS)
    stages: int = Field(ge=0)
    latency_cycles: int = Field(ge=1)
    adder_operations: int = Field(ge=0)

    @property
    def cell_bits(self) -> int:
        """Bits of a cell's number."""
        return max(1, (self.cells - 1).bit_length())
