"""What a design is measured against: cells, latency, and the resources of whole FPGAs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

BUDGET_CELLS = 384
BUDGET_NS = 125.0
RESOURCES = ("lut", "ff", "carry", "dsp", "bram")  # of every family
OTHER_CELLS = "Cyclone V cells are counted against a Stratix 10: an estimate."


@dataclass(frozen=True)
class Device:
    """An FPGA: its name, and its units by resource."""

    title: str
    resources: Mapping[str, int]


# Resources of a whole device. XCVU9P: as published utilization reports of Vivado print them
# (column "Available"); not seen in a document of AMD's. 1SG280: ALMs and registers (four in
# each ALM) from table 10 of Intel's Stratix 10 GX FPGA Development Kit User Guide (683674),
# DSP blocks from Intel's product page of that kit (235250).
DEVICES = {
    "xcup": Device("AMD XCVU9P", {"lut": 1_182_240, "ff": 2_364_480, "dsp": 6_840}),
    "cyclonev": Device(
        "Intel Stratix 10 GX 2800 (two ALUTs in each of 933,120 ALMs)",
        {"lut": 1_866_240, "ff": 3_732_480, "dsp": 5_760},
    ),
}


def cores_needed(cells: int) -> int:
    """Streaming cores of so many cells for all cells of an FPGA."""
    return math.ceil(BUDGET_CELLS / cells)


def share_percent(family: str, resources: Mapping[str, int], cores: int) -> dict[str, float]:
    """Percent of the family's device that so many cores take, by resource.

    Parameters
    ----------
    family
        Its name, as in ``implement.families``.
    resources
        Units of one core.
    cores
        How many.

    Returns
    -------
    ``lut``, ``ff`` and ``dsp``; nothing for a family without a device here.
    """
    if family not in DEVICES:
        return {}
    whole = DEVICES[family].resources
    return {key: 100 * resources[key] * cores / whole[key] for key in whole}
