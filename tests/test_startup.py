"""What a stage loads before it has looked at its input: nothing that it may not need."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.imports import ROOT

HEAVY = ["tensorflow", "pandas", "uproot", "qkeras", "keras_tuner", "hls4ml", "grpc"]
STAGES = [
    "check", "simulate", "prepare", "train", "baseline", "search", "finetune", "candidates",
    "synthesize", "rtl", "implement", "survey", "evaluate", "report",
]  # fmt: skip
# What a stage does before it trains anything: prices, and the plan of a search.
WITHOUT_TENSORFLOW = {
    "check": "pipeline.check.check()",
    "baseline": "pipeline.baseline.baseline_metrics(params)",
    "search": "from pipeline.base.architecture import Architecture; "
    "pipeline.search.plan_search(params.search, params.energy, Architecture('GRU', 8, 5))",
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_loads_nothing_heavy_at_its_start(stage):
    assert set(HEAVY).isdisjoint(loaded(f"import pipeline.{stage}"))


@pytest.mark.parametrize(("stage", "work"), WITHOUT_TENSORFLOW.items())
def test_prices_and_plans_need_nothing_heavy(stage, work):
    params = "from pipeline.params import load_params; params = load_params()"
    assert set(HEAVY).isdisjoint(loaded(f"import pipeline.{stage}; {params}; {work}"))


def loaded(code: str) -> list[str]:
    """Return the modules that are loaded once a process has run some code."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"{code}; import json, sys; "
         "print(json.dumps(sorted(sys.modules)))"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    modules: list[str] = json.loads(result.stdout)
    return modules
