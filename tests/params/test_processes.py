"""Section ``processes``: on which no result depends."""

from __future__ import annotations

import pytest

from pipeline.params import ParamsError, load_params, parse_params
from tests.imports import ROOT


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"workers": 0}, "processes.workers"),
        ({"workers": 257}, "processes.workers"),
        ({"worker_timeout_s": 0.0}, "processes.worker_timeout_s"),
        ({"tasks": 1}, "processes.tasks"),
    ],
)
def test_bad_values_are_refused(change, key):
    tree = load_params(ROOT / "params.yaml").model_dump()
    tree["processes"] |= change
    with pytest.raises(ParamsError, match=key):
        parse_params(tree)
