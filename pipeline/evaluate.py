"""Stage `evaluate`: how good every reconstruction is, as numbers, tables and figures."""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_csv, write_json, write_text
from pipeline.evaluation import plots, sample, tables
from pipeline.params import load_params
from pipeline.presentation.style import drawing, save_png
from pipeline.samples.predictions import (
    FIRMWARE_TEST,
    FLOAT_TEST,
    QUANTIZED_TEST,
    read_predictions,
)
from pipeline.samples.prepared import PREPARED, read_prepared

PREDICTIONS = {
    "float": FLOAT_TEST,
    "quantized": QUANTIZED_TEST,
    "firmware": FIRMWARE_TEST,
}
METRICS = Path("metrics/evaluate.json")
TABLE = Path("metrics/evaluate.md")
PLOTS = Path("metrics/plots")


def main() -> None:
    """Compare optimal filter, float and quantized network and firmware with the truth."""
    params = load_params()
    evaluate = params.evaluate
    label = evaluate.label.replace("{mu}", f"{params.simulate.pileup.mean_interactions:g}")
    split = read_prepared(PREPARED).test
    predictions = {
        name: read_predictions(path, split.n_windows) for name, path in PREDICTIONS.items()
    }
    test = sample.assemble(split, predictions, evaluate)
    metrics = tables.metrics(test)
    response = sample.response_profiles(test, evaluate.response_bin_mev)
    gap = sample.gap_profiles(test)

    write_json(METRICS, metrics)
    write_text(TABLE, tables.markdown(test, metrics, label))
    write_csv(PLOTS / "resolution_by_class.csv", tables.by_class_columns(test, metrics))
    write_csv(PLOTS / "residuals.csv", tables.residuals_columns(test, evaluate))
    write_csv(PLOTS / "response.csv", tables.response_columns(response))

    high = test.energy_class("high")
    start, length = evaluate.stretch_start_bc, evaluate.stretch_length_bc
    with drawing():
        figures = {
            "residuals_all": plots.residual_distribution(
                test, test.energy_class("all"), metrics, evaluate, label
            ),
            "residuals_high": plots.residual_distribution(test, high, metrics, evaluate, label),
            "resolution_by_class": plots.resolution_by_class(test, metrics, label),
            "resolution_by_gap": plots.resolution_by_gap(
                gap, evaluate.gap_edges_bc, high.title, label
            ),
            "response": plots.response(response, label),
            "stretch": plots.stretch(test, start, length, label),
        }
        for name, figure in figures.items():
            save_png(figure, PLOTS / "evaluate" / f"{name}.png")
    reached = ", ".join(
        f"{name} {classes['all']['rmse_mev']:.2f}" for name, classes in metrics.items()
    )
    say(f"evaluate: RMSE of all BCs in MeV: {reached}: {TABLE}")


if __name__ == "__main__":
    run_stage(main)
