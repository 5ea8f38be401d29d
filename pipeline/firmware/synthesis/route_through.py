"""LUTs that a netlist of UltraScale+ does not show.

A bit of a carry chain takes its propagate input from the LUT beside it and from nowhere else.
Where a netlist connects it to a register or an inverter, place and route puts in a LUT that only
passes the signal on, or inverts it; synthesis does not count that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PROPAGATE = "S"


def hidden_luts(module: Mapping[str, Any]) -> dict[str, int]:
    """Count propagate inputs of carry cells that no LUT drives.

    Parameters
    ----------
    module
        A flat module of Yosys' ``write_json``.

    Returns
    -------
    ``lut_route_through``, those driven by something else than a LUT or a constant, and
    ``inverter_into_carry``, those of them that an inverter drives.
    """
    drivers = {
        bit: cell["type"]
        for cell in module["cells"].values()
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for bit in bits
    }
    # A constant is written as "0", "1" or "x"; one LUT serves all inputs that share its signal
    # only within a slice, so each input is counted.
    inputs = [
        drivers.get(bit, "input")
        for cell in module["cells"].values()
        if cell["type"].startswith("CARRY")
        for bit in cell["connections"].get(_PROPAGATE, ())
        if not isinstance(bit, str)
    ]
    without = [kind for kind in inputs if not kind.startswith("LUT")]
    return {
        "lut_route_through": len(without),
        "inverter_into_carry": sum(kind == "INV" for kind in without),
    }
