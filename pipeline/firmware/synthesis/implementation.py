"""What one streaming core costs, family by family."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.artifacts.design import RtlDesign
from pipeline.artifacts.implementation import Implemented, Routed
from pipeline.base.arrays import I64
from pipeline.base.errors import PipelineError
from pipeline.firmware.processes import side_by_side
from pipeline.firmware.rtl.project import verilog_files
from pipeline.firmware.rtl.simulation import check_stream
from pipeline.firmware.rtl.stream_clocks import StreamClocks, random_stream
from pipeline.firmware.synthesis.nextpnr import ROUTED, place_and_route
from pipeline.firmware.synthesis.yosys import FAMILIES, Synthesis, synthesize
from pipeline.integers.network import IntegerNetwork
from pipeline.params.firmware import ImplementParams

_GAPS = 0.2  # probability that a clock of the netlist's stream brings no sample


class ImplementationError(PipelineError):
    """Artifacts that do not belong together."""


@dataclass(frozen=True, eq=False)
class Core:
    """A streaming core.

    Attributes
    ----------
    network, design, rtl
        The network, its description, and the directory of its RTL.
    netlist_clocks
        What enters a simulated netlist; None simulates none.
    """

    network: IntegerNetwork
    design: RtlDesign
    rtl: Path
    netlist_clocks: StreamClocks | None


def netlist_clocks(
    samples: I64, design: RtlDesign, n_windows: int, seed: int
) -> StreamClocks | None:
    """Return a random stream for a netlist.

    Parameters
    ----------
    samples
        int64 (n,) of the network's input type.
    design
        The RTL.
    n_windows
        Windows in the stream; 0 for none.
    seed
        Of the stream.
    """
    return random_stream(samples, design, n_windows, _GAPS, seed) if n_windows else None


def implement(core: Core, family: str, timeout_s: float, work: Path) -> Implemented:
    """Synthesise a core for a family and simulate the netlist.

    Parameters
    ----------
    core
        What is synthesised.
    family
        A name in `pipeline.firmware.synthesis.yosys.FAMILIES`.
    timeout_s
        Seconds for Yosys.
    work
        A directory for the tools' files.

    Raises
    ------
    SynthesisError, MismatchError
        If a tool fails, or the netlist is not the network.
    """
    synthesis = _synthesize(core, family, timeout_s, work)
    return _implemented(synthesis, _simulate(core, synthesis), None)


def implement_all(
    core: Core, params: ImplementParams, work: Path
) -> Generator[Implemented, None, None]:
    """Implement a core for the families of the parameters, and route it where they ask for it.

    As many families at once as there are processors. Routing takes longest and keeps one
    processor busy: that family starts first, and its simulation is the last thing to start.
    Yields families as they end.

    Raises
    ------
    SynthesisError, PlaceAndRouteError, MismatchError
        For the first family that fails; see `pipeline.firmware.processes.side_by_side` for
        what that does to the others.
    """
    steps: list[Callable[[], Implemented | None]] = []
    last: list[Callable[[], Implemented | None]] = []
    for family in params.families:
        if params.route and family == ROUTED:
            routing = _Routing(core, params, work)
            steps.insert(0, routing.route)
            last.append(routing.simulate)
        else:
            steps.append(partial(implement, core, family, params.timeout_s, work))
    with closing(side_by_side(lambda step: step(), [*steps, *last])) as done:
        for implemented in done:
            if implemented is not None:
                yield implemented


class _Routing:
    """The family that is routed, in two steps that may run beside each other.

    `simulate` waits for the netlist of `route`, which must have been started before it.
    """

    def __init__(self, core: Core, params: ImplementParams, work: Path) -> None:
        self._core, self._params, self._work = core, params, work
        self._synthesis: Future[Synthesis] = Future()
        self._routed: Future[Routed] = Future()

    def route(self) -> None:
        """Synthesise, place and route."""
        seed, timeout_s = self._params.seed, self._params.timeout_s
        period_ns = self._core.design.clock_period_ns
        try:
            synthesis = _synthesize(self._core, ROUTED, timeout_s, self._work)
            self._synthesis.set_result(synthesis)
            self._routed.set_result(place_and_route(synthesis.netlist, period_ns, seed, timeout_s))
        except BaseException as error:
            for waited_for in (self._synthesis, self._routed):
                if not waited_for.done():
                    waited_for.set_exception(error)
            raise

    def simulate(self) -> Implemented:
        """Simulate the netlist; return the result of both steps."""
        synthesis = self._synthesis.result()
        simulated = _simulate(self._core, synthesis)
        return _implemented(synthesis, simulated, self._routed.result())


def _synthesize(core: Core, family: str, timeout_s: float, work: Path) -> Synthesis:
    return synthesize(
        verilog_files(core.rtl, stream=True),
        f"{core.design.top}_stream",
        FAMILIES[family],
        work / family,
        timeout_s,
        flat=core.netlist_clocks is not None,
    )


def _simulate(core: Core, synthesis: Synthesis) -> tuple[int, int]:
    """Return how many windows went through the netlist, and how many differed."""
    if synthesis.flat is None or core.netlist_clocks is None:
        return 0, 0
    checked = check_stream(
        core.network,
        core.design,
        [synthesis.flat],
        core.netlist_clocks,
        f"netlist_{synthesis.family.name}",
        optimise=False,
    )
    return checked.windows, checked.mismatches


def _implemented(
    synthesis: Synthesis, simulated: tuple[int, int], routed: Routed | None
) -> Implemented:
    n_windows, mismatches = simulated
    return Implemented(
        name=synthesis.family.name,
        title=synthesis.family.title,
        tool=f"Yosys {synthesis.version}, `{synthesis.family.command}`",
        resources=synthesis.resources,
        n_windows=n_windows,
        mismatches=mismatches,
        routed=routed,
    )


def family_metrics(implemented: Implemented) -> dict[str, Any]:
    """Return a family's part of ``metrics/implement.json``."""
    clock = {} if implemented.routed is None else {"fmax_mhz": implemented.routed.fmax_mhz}
    return {
        **implemented.resources,
        "windows": implemented.n_windows,
        "mismatches": implemented.mismatches,
        **clock,
    }


def family_line(implemented: Implemented) -> str:
    """Say what a family takes, what was simulated of it, and the clock if it was routed."""
    area = ", ".join(f"{implemented.resources[kind]} {kind.upper()}" for kind in ("lut", "ff"))
    clock = "" if implemented.routed is None else f", {implemented.routed.fmax_mhz:.0f} MHz"
    simulated = f"{implemented.n_windows} windows, {implemented.mismatches} mismatches"
    return f"{implemented.title}: {area}, {simulated}{clock}"


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
