"""What the simulations of the RTL showed, as ``metrics/rtl.json``."""

from __future__ import annotations

from pipeline.artifacts.design import RtlDesign
from pipeline.firmware.rtl.simulation import SimulatedNetwork
from pipeline.integers.compare import Comparison


def rtl_metrics(
    design: RtlDesign, simulated: SimulatedNetwork, streamed: Comparison
) -> dict[str, object]:
    """Return the content of ``metrics/rtl.json``.

    Latency and initiation interval are the simulated ones. Simulators that only some
    machines have are not in it: the file is the same on all of them.
    """
    latency = simulated.latency_cycles
    return {
        simulated.comparison.found: simulated.comparison.metrics(),
        streamed.found: streamed.metrics(),
        "adder_operations": design.adder_operations,
        "initiation_interval": simulated.initiation_interval,
        "latency_cycles": latency,
        "latency_ns": latency * design.clock_period_ns,
        "stages": design.stages,
    }
