"""What one streaming core costs, family by family."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.arrays import I64
from pipeline.errors import PipelineError
from pipeline.firmware.golden import output_type
from pipeline.firmware.open_synthesis import FAMILIES, Synthesis, synthesize
from pipeline.firmware.place_and_route import ROUTED, Routed, nextpnr, place_and_route
from pipeline.firmware.rtl_project import RtlDesign, verilog_files
from pipeline.firmware.rtl_simulation import check_stream
from pipeline.firmware.stream_clocks import random_stream
from pipeline.firmware.tools import side_by_side
from pipeline.integer_network import IntegerNetwork

_GAPS = 0.2  # probability that a clock of the netlist's stream brings no sample


class ImplementationError(PipelineError):
    """Artifacts that do not belong together."""


@dataclass(frozen=True)
class Implemented:
    """One family's figures of one streaming core.

    Attributes
    ----------
    name, title
        The family.
    tool
        Name and version of what counted.
    resources
        Units by resource.
    windows, mismatches
        Of the netlist's simulation against the golden model.
    routed
        Place and route, where the family has it.
    """

    name: str
    title: str
    tool: str
    resources: dict[str, int]
    windows: int
    mismatches: int
    routed: Routed | None = None

    def metrics(self) -> dict[str, Any]:
        """Return the family's part of ``metrics/implement.json``."""
        found: dict[str, Any] = {
            **self.resources,
            "windows": self.windows,
            "mismatches": self.mismatches,
        }
        if self.routed is not None:
            found["fmax_mhz"] = self.routed.fmax_mhz
        return found


@dataclass(frozen=True)
class ImplementOptions:
    """How a core is implemented and checked.

    Attributes
    ----------
    windows
        Windows through the simulated netlist; 0 for no simulation.
    route
        Whether to place and route (ECP5 only; skipped where nextpnr is missing).
    seed
        Of the netlist's random stream and of the placer.
    timeout_s
        Seconds for each run of Yosys and nextpnr.
    """

    windows: int
    route: bool
    seed: int
    timeout_s: float


def implement_all(
    network: IntegerNetwork,
    design: RtlDesign,
    rtl: Path,
    samples: I64,
    families: Sequence[str],
    options: ImplementOptions,
    work: Path,
) -> Generator[Implemented, None, None]:
    """Implement the core for several families, as many at once as there are processors.

    Yields in the order in which they start: the routed one, which takes longest, first.
    See `implement` for parameters and errors, `pipeline.firmware.tools.side_by_side` for
    what an error does to the others.
    """
    return side_by_side(
        lambda family: implement(network, design, rtl, samples, family, options, work),
        sorted(families, key=lambda family: family != ROUTED),
    )


def implement(
    network: IntegerNetwork,
    design: RtlDesign,
    rtl: Path,
    samples: I64,
    family: str,
    options: ImplementOptions,
    work: Path,
) -> Implemented:
    """Synthesise the streaming core for a family, simulate the netlist, route where possible.

    Parameters
    ----------
    network, design, rtl
        The network, its description, and the directory of its RTL.
    samples
        int64 (n,) of the input type, for the netlist's random stream.
    family
        A name in `pipeline.firmware.open_synthesis.FAMILIES`.
    options
        How.
    work
        A directory for the tools' files.

    Raises
    ------
    SynthesisError, PlaceAndRouteError, MismatchError
        If a tool fails, or the netlist is not the network.
    """
    made: Synthesis = synthesize(
        verilog_files(rtl, stream=True),
        f"{design.top}_stream",
        FAMILIES[family],
        work / family,
        options.timeout_s,
    )
    simulated = mismatches = 0
    if options.windows:
        clocks = random_stream(samples, design, options.windows, _GAPS, options.seed)
        checked = check_stream(network, design, [made.flat], clocks, f"netlist_{family}", False)
        simulated, mismatches = checked.windows, checked.mismatches
    routed = None
    if options.route and family == ROUTED and nextpnr() is not None:
        routed = place_and_route(
            made.netlist, design.clock_period_ns, options.seed, options.timeout_s
        )
    return Implemented(
        name=family,
        title=made.family.title,
        tool=f"Yosys {made.version}, `{made.family.command}`",
        resources=made.resources,
        windows=simulated,
        mismatches=mismatches,
        routed=routed,
    )


def require_same_network(network: IntegerNetwork, design: RtlDesign) -> None:
    """Refuse RTL whose ports are not those of the network.

    Raises
    ------
    ImplementationError
        Naming the first difference.
    """
    wanted = {
        "window_length": network.window_length,
        "sample_bits": network.input.bits,
        "energy_bits": output_type(network).bits,
    }
    for name, value in wanted.items():
        if getattr(design, name) != value:
            raise ImplementationError(
                f"the RTL has {name} {getattr(design, name)}, the network {value}: "
                "run the stage rtl again"
            )
