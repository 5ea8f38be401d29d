"""A tiny cell for the benchmarks, and contenders that run in the test's own process."""

from __future__ import annotations

import contextlib
import importlib
import io
from pathlib import Path

import pytest
import yaml

import pipeline.networks  # noqa: F401  (before TensorFlow: it sets how much that prints)
from benchmarks import compare
from benchmarks.networks import FLOAT_WEIGHTS, made_up_weights
from pipeline import prepare, simulate
from pipeline.base.files import write_json
from pipeline.base.weights import save_weights
from tests.imports import ROOT

PARAMS = ROOT / "params.yaml"
N_BC = 3000


@pytest.fixture(scope="session")
def cell(tmp_path_factory):
    """A folder with parameters, data, float weights and metrics, as after the stage `train`."""
    folder = tmp_path_factory.mktemp("cell")
    params = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    params["simulate"]["n_bc"] = N_BC
    params["prepare"] |= {"window_length": 3, "target_lag": 3}  # short loops compile faster
    params["train"] |= {"learning_rate": 0.01, "seed": 3}  # a network that is alive
    params["search"]["tune_filters"] = "none"
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    with contextlib.chdir(folder):
        simulate.main()
        prepare.main()
        save_weights(FLOAT_WEIGHTS, made_up_weights())
        write_json(Path("metrics/train.json"), {"validation_rmse_mev": 100.0})
    return folder


@pytest.fixture
def workplace(cell, monkeypatch):
    """The tiny cell as working directory; what a contender prints is read here."""
    monkeypatch.chdir(cell)

    def run_here(module: str, *arguments: str) -> compare.Figures:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            importlib.import_module(module).main(arguments)
        figures = compare.reported(output.getvalue())
        assert figures is not None, output.getvalue()
        return figures

    for name in ("training", "trials", "ablation", "scaling", "stacks"):
        benchmark = importlib.import_module(f"benchmarks.{name}")
        monkeypatch.setattr(benchmark, "contender", run_here)
    return cell


def table(output: str) -> dict[str, list[str]]:
    """Return the rows of a Markdown table by their first column."""
    rows = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows}
