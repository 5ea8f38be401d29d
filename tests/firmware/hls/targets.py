"""Compilers and devices for the HLS tests."""

from typing import Any

from pipeline.firmware.hls.project import Backend, Target
from pipeline.params.firmware import SynthesizeParams

SECTION = {
    "backend": "Vitis",
    "part": "xcvu9p-flga2577-2-e",
    "intel_part": "Stratix10",
    "clock_period_ns": 3.125,
    "clock_uncertainty_percent": 27.0,
    "project_name": "cell",
    "max_mismatch_mev": 0.0,
    "gate_table_size": 32768,
    "max_gated_rms_mev": 10.0,
}


def target(backend: Backend = "Vitis", **changes: Any) -> Target:
    """A target whose section of ``params.yaml`` is `SECTION` with changes."""
    return Target(SynthesizeParams.model_validate(SECTION | changes), backend)
