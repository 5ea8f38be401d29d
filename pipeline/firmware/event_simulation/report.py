"""What the simulations of the RTL showed, as ``metrics/rtl.json``."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.firmware.event_simulation.icarus_ghdl import EventRun
from pipeline.firmware.rtl.project import RtlDesign
from pipeline.firmware.rtl.simulation import SimulatedNetwork
from pipeline.integers.compare import Comparison


def rtl_metrics(
    design: RtlDesign,
    simulated: SimulatedNetwork,
    streamed: Comparison,
    events: Sequence[EventRun],
) -> dict[str, object]:
    """Return the content of ``metrics/rtl.json``.

    Latency and initiation interval are the simulated ones. A simulator that did not run has
    0 windows, so that the metrics say whether the VHDL was simulated.
    """
    latency = simulated.latency_cycles
    return {
        simulated.comparison.found: simulated.comparison.metrics(),
        streamed.found: streamed.metrics(),
        **{run.name: run.metrics() for run in events},
        "adder_operations": design.adder_operations,
        "initiation_interval": simulated.initiation_interval,
        "latency_cycles": latency,
        "latency_ns": latency * design.clock_period_ns,
        "stages": design.stages,
    }
