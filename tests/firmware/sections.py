"""Sections of ``params.yaml``, and a description of RTL, for tests: small and quick."""

from __future__ import annotations

from typing import Any

from pipeline.artifacts.design import RtlDesign
from pipeline.params.firmware import ImplementParams, RtlParams, SurveyParams

_RTL = {
    "top": "cell_rnn",
    "adders_per_stage": 2,
    "clock_period_ns": 2.0,
    "cells": 3,
    "stream_windows": 300,
    "stream_gap_probability": 0.3,
    "stream_seed": 1,
    "event_windows": 0,
}
_IMPLEMENT = {
    "families": ["xcup"],
    "netlist_windows": 200,
    "route": False,
    "seed": 1,
    "intel_device": "1SG280HU2F50E2VG",
    "timeout_s": 300.0,
}
_SURVEY = {
    "points": 1,
    "uniform_bits": [],
    "family": "xcup",
    "windows": 300,
    "netlist_windows": 100,
}


_DESIGN = {
    "top": "cell_rnn",
    "cells": 12,
    "clock_period_ns": 2.0,
    "window_length": 5,
    "sample_bits": 12,
    "energy_bits": 12,
    "stages": 18,
    "latency_cycles": 19,
    "adder_operations": 700,
}


def rtl_params(**changes: Any) -> RtlParams:
    return RtlParams.model_validate(_RTL | changes)


def implement_params(**changes: Any) -> ImplementParams:
    return ImplementParams.model_validate(_IMPLEMENT | changes)


def survey_params(**changes: Any) -> SurveyParams:
    return SurveyParams.model_validate(_SURVEY | changes)


def rtl_design(**changes: Any) -> RtlDesign:
    return RtlDesign.model_validate(_DESIGN | changes)
