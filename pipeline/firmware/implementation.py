"""What one streaming core costs, family by family."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import closing
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


@dataclass(frozen=True, eq=False)
class Core:
    """A streaming core.

    Attributes
    ----------
    network, design, rtl
        The network, its description, and the directory of its RTL.
    samples
        int64 (n,) of the input type, for the random stream of a netlist's simulation.
    """

    network: IntegerNetwork
    design: RtlDesign
    rtl: Path
    samples: I64


def implement(core: Core, family: str, options: ImplementOptions, work: Path) -> Implemented:
    """Synthesise a core for a family, route it where possible, simulate the netlist.

    Parameters
    ----------
    core, options
        What and how.
    family
        A name in `pipeline.firmware.open_synthesis.FAMILIES`.
    work
        A directory for the tools' files.

    Raises
    ------
    SynthesisError, PlaceAndRouteError, MismatchError
        If a tool fails, or the netlist is not the network.
    """
    build = _Build(core, family, options, work)
    build.make()
    return build.check()


def implement_all(
    core: Core, families: Sequence[str], options: ImplementOptions, work: Path
) -> Generator[Implemented, None, None]:
    """Implement a core for several families, as much at once as there are processors.

    Routing takes longest and needs one processor: that family starts first, and its netlist
    is simulated after the others'. Yields in the order in which the simulations end.
    See `implement` for parameters and errors, `pipeline.firmware.tools.side_by_side` for
    what an error does to the others.
    """
    builds = [_Build(core, family, options, work) for family in families]
    first = [build for build in builds if build.routes]
    others = [build for build in builds if not build.routes]
    steps: list[Callable[[], Implemented | None]] = [build.make for build in first]
    for build in others:
        steps += [build.make, build.check]
    steps += [build.check for build in first]
    with closing(side_by_side(lambda step: step(), steps)) as done:
        for found in done:
            if found is not None:
                yield found


class _Build:
    """One core for one family, in two steps; the second waits for what it needs of the first."""

    def __init__(self, core: Core, family: str, options: ImplementOptions, work: Path) -> None:
        self._core, self._family, self._options = core, family, options
        self._work = work / family
        self.routes = options.route and family == ROUTED and nextpnr() is not None
        self._made: Future[Synthesis] = Future()
        self._routed: Future[Routed | None] = Future()

    def make(self) -> None:
        """Synthesise, and route where possible."""
        try:
            self._made.set_result(self._synthesize())
            self._routed.set_result(self._route() if self.routes else None)
        except BaseException as error:
            for waited_for in (self._made, self._routed):
                if not waited_for.done():
                    waited_for.set_exception(error)
            raise

    def check(self) -> Implemented:
        """Simulate the netlist; return what was found in both steps."""
        made = self._made.result()
        windows, mismatches = self._simulate(made)
        return Implemented(
            name=self._family,
            title=made.family.title,
            tool=f"Yosys {made.version}, `{made.family.command}`",
            resources=made.resources,
            windows=windows,
            mismatches=mismatches,
            routed=self._routed.result(),
        )

    def _synthesize(self) -> Synthesis:
        return synthesize(
            verilog_files(self._core.rtl, stream=True),
            f"{self._core.design.top}_stream",
            FAMILIES[self._family],
            self._work,
            self._options.timeout_s,
            flat=self._options.windows > 0,
        )

    def _route(self) -> Routed:
        netlist, options = self._made.result().netlist, self._options
        period_ns = self._core.design.clock_period_ns
        return place_and_route(netlist, period_ns, options.seed, options.timeout_s)

    def _simulate(self, made: Synthesis) -> tuple[int, int]:
        """Return how many windows were compared, and how many differ."""
        if made.flat is None:
            return 0, 0
        core, options = self._core, self._options
        clocks = random_stream(core.samples, core.design, options.windows, _GAPS, options.seed)
        name = f"netlist_{self._family}"
        checked = check_stream(core.network, core.design, [made.flat], clocks, name, False)
        return checked.windows, checked.mismatches


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
