"""What a stage loads before it has looked at its input: nothing that it may not need."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.imports import ROOT

HEAVY = ["tensorflow", "pandas", "uproot", "qkeras", "keras_tuner", "hls4ml", "grpc"]
STAGES = [
    "simulate", "prepare", "train", "finetune", "synthesize", "rtl", "implement", "survey",
    "evaluate", "report",
]  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_loads_nothing_heavy_at_its_start(stage):
    code = f"import json, sys, pipeline.{stage}; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(HEAVY).isdisjoint(json.loads(result.stdout))
