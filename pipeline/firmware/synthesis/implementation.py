"""What one streaming core costs, family by family."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.base.arrays import I64
from pipeline.base.errors import PipelineError
from pipeline.firmware.processes import side_by_side
from pipeline.firmware.rtl.project import RtlDesign, verilog_files
from pipeline.firmware.rtl.simulation import check_stream
from pipeline.firmware.rtl.stream_clocks import random_stream
from pipeline.firmware.synthesis.nextpnr import ROUTED, Routed, nextpnr, place_and_route
from pipeline.firmware.synthesis.yosys import FAMILIES, Synthesis, synthesize
from pipeline.integers.network import IntegerNetwork

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
    """Synthesise a core for a family, simulate the netlist, route it where possible.

    Parameters
    ----------
    core, options
        What and how.
    family
        A name in `pipeline.firmware.synthesis.yosys.FAMILIES`.
    work
        A directory for the tools' files.

    Raises
    ------
    SynthesisError, PlaceAndRouteError, MismatchError
        If a tool fails, or the netlist is not the network.
    """
    made = _synthesize(core, family, options, work)
    simulated = _simulate(core, made, options)
    routed = _route(core, made, options) if _is_routed(family, options) else None
    return _implemented(made, simulated, routed)


def implement_all(
    core: Core, families: Sequence[str], options: ImplementOptions, work: Path
) -> Generator[Implemented, None, None]:
    """Implement a core for several families, as many at once as there are processors.

    Routing takes longest and keeps one processor busy: that family starts first, and its
    simulation is the last thing to start. Yields families as they end. See `implement` for
    parameters and errors, `pipeline.firmware.processes.side_by_side` for what an error does to
    the others.
    """
    steps: list[Callable[[], Implemented | None]] = []
    last: list[Callable[[], Implemented | None]] = []
    for family in families:
        if _is_routed(family, options):
            routing = _Routing(core, family, options, work)
            steps.insert(0, routing.route)
            last.append(routing.simulate)
        else:
            steps.append(partial(implement, core, family, options, work))
    with closing(side_by_side(lambda step: step(), [*steps, *last])) as done:
        for found in done:
            if found is not None:
                yield found


class _Routing:
    """The family that is routed, in two steps that may run beside each other.

    `simulate` waits for the netlist of `route`, which must have been started before it.
    """

    def __init__(self, core: Core, family: str, options: ImplementOptions, work: Path) -> None:
        self._core, self._family, self._options, self._work = core, family, options, work
        self._made: Future[Synthesis] = Future()
        self._routed: Future[Routed] = Future()

    def route(self) -> None:
        """Synthesise, place and route."""
        try:
            made = _synthesize(self._core, self._family, self._options, self._work)
            self._made.set_result(made)
            self._routed.set_result(_route(self._core, made, self._options))
        except BaseException as error:
            for waited_for in (self._made, self._routed):
                if not waited_for.done():
                    waited_for.set_exception(error)
            raise

    def simulate(self) -> Implemented:
        """Simulate the netlist; return what was found in both steps."""
        made = self._made.result()
        simulated = _simulate(self._core, made, self._options)
        return _implemented(made, simulated, self._routed.result())


def _is_routed(family: str, options: ImplementOptions) -> bool:
    return options.route and family == ROUTED and nextpnr() is not None


def _synthesize(core: Core, family: str, options: ImplementOptions, work: Path) -> Synthesis:
    return synthesize(
        verilog_files(core.rtl, stream=True),
        f"{core.design.top}_stream",
        FAMILIES[family],
        work / family,
        options.timeout_s,
        flat=options.windows > 0,
    )


def _route(core: Core, made: Synthesis, options: ImplementOptions) -> Routed:
    period_ns = core.design.clock_period_ns
    return place_and_route(made.netlist, period_ns, options.seed, options.timeout_s)


def _simulate(core: Core, made: Synthesis, options: ImplementOptions) -> tuple[int, int]:
    """Return how many windows went through the netlist, and how many differed."""
    if made.flat is None:
        return 0, 0
    clocks = random_stream(core.samples, core.design, options.windows, _GAPS, options.seed)
    name = f"netlist_{made.family.name}"
    checked = check_stream(core.network, core.design, [made.flat], clocks, name, False)
    return checked.windows, checked.mismatches


def _implemented(made: Synthesis, simulated: tuple[int, int], routed: Routed | None) -> Implemented:
    windows, mismatches = simulated
    return Implemented(
        name=made.family.name,
        title=made.family.title,
        tool=f"Yosys {made.version}, `{made.family.command}`",
        resources=made.resources,
        windows=windows,
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
        "energy_bits": network.output.bits,
    }
    for name, value in wanted.items():
        if getattr(design, name) != value:
            raise ImplementationError(
                f"the RTL has {name} {getattr(design, name)}, the network {value}: "
                "run the stage rtl again"
            )
