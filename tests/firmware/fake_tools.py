"""Yosys, Verilator and nextpnr that answer at once, and say what was asked of them."""

from pathlib import Path
from threading import Event

import pytest

from pipeline.artifacts.implementation import Routed
from pipeline.firmware import processes as tools
from pipeline.firmware.synthesis import implementation
from pipeline.firmware.synthesis.nextpnr import PlaceAndRouteError
from pipeline.firmware.synthesis.yosys import Synthesis
from pipeline.integers.compare import Comparison

PATIENCE_S = 60.0
STOPPED = "until tools are stopped"


class FakeTools:
    """Stand in for the tools of `pipeline.firmware.synthesis.implementation`.

    Attributes
    ----------
    asked
        What was asked for, as it comes: ``make``, ``route`` or ``check``, and the family.
    route_lasts_until
        The check of this family, or `STOPPED`; None for a routing that is done at once.
    failing
        A step, as in `asked`, that fails.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        route_lasts_until: str | None = None,
        failing: str = "",
    ) -> None:
        self.asked: list[str] = []
        self.route_lasts_until = route_lasts_until
        self.failing = failing
        self._over = Event()
        monkeypatch.setattr(implementation, "synthesize", self._synthesize)
        monkeypatch.setattr(implementation, "check_stream", self._check)
        monkeypatch.setattr(implementation, "place_and_route", self._route)

    def _ask(self, step: str) -> None:
        self.asked.append(step)
        if step == self.failing:
            raise PlaceAndRouteError(f"no {step}")

    def _synthesize(self, files, top, family, work, timeout_s, flat):
        self._ask(f"make {family.name}")
        counted = dict.fromkeys(("lut", "ff", "carry", "dsp", "bram"), 1)
        return Synthesis(family, "1", counted, work / "flat.v" if flat else None, Path("n.json"))

    def _check(self, network, design, files, clocks, name, optimise):
        family = name.removeprefix("netlist_")
        self._ask(f"check {family}")
        if family == self.route_lasts_until:
            self._over.set()
        return Comparison(name, "golden", 200, 0, 0.0, 0.0, None, None)

    def _route(self, netlist, clock_period_ns, seed, timeout_s):
        self._ask("route ecp5")
        if self.route_lasts_until is not None:
            self._wait()
        return Routed(device="ECP5", version="nextpnr 1", fmax_mhz=99.0, used={})

    def _wait(self) -> None:
        for _ in range(int(PATIENCE_S / 0.01)):
            if self._over.wait(0.01):
                return
            if self.route_lasts_until == STOPPED and tools._RUNNING.refused:
                raise PlaceAndRouteError("stopped")
        raise AssertionError("nothing is done beside the routing")
