"""Stage ``train``: fit the float network on the prepared windows.

With ``train.weights`` the network of that file is taken instead, and the rest is the same.
Reads data/prepared.h5; writes models/float.weights.h5, data/float_test.npy
(the network's output on the test windows, scaled), metrics/train.json, the loss curve
metrics/plots/train.csv, and metrics/plots/train_starts.csv, the curves of all starts of which it
is the best. Without a fit the curve is one row, epoch 0.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.base.architecture import Architecture
from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_csv, write_json
from pipeline.base.weights import FLOAT_WEIGHTS, save_weights
from pipeline.given_network.weights import read_given
from pipeline.params import load_params
from pipeline.samples.predictions import FLOAT_TEST, write_predictions
from pipeline.samples.prepared import PREPARED, read_prepared


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    prepared = read_prepared(PREPARED)
    scale_gev = prepared.train.et_scale_gev
    form = Architecture(params.train.cell, params.train.units, prepared.train.window_length)
    given = None
    if params.train.weights is not None:
        given = read_given(Path(params.train.weights), form)
        for remark in given.remarks:
            say(f"train: {remark}")

    # TensorFlow only once the input is known good.
    from pipeline.networks.fitting import WindowData, rmse_mev
    from pipeline.networks.given import take_given
    from pipeline.networks.runtime import make_strategy
    from pipeline.networks.training import starts_table, train_float

    strategy = make_strategy(params.train.strategy)
    splits = prepared.train, prepared.validation, prepared.test
    train, validation, test = (WindowData.from_split(split, strategy) for split in splits)
    if given is None:
        trained = train_float(params.train, strategy, train, validation, test)
        curve = trained.fit.table(scale_gev)
    else:
        trained, curve = take_given(form, given.weights, strategy, train, validation, test)
    validation_rmse_mev = rmse_mev(trained.validation_loss, scale_gev)
    parameters = sum(weight.size for weight in trained.weights.values())
    save_weights(FLOAT_WEIGHTS, trained.weights)
    write_predictions(FLOAT_TEST, trained.test_output)
    write_csv(Path("metrics/plots/train.csv"), curve)
    of_starts = [start.fit.table(scale_gev) for start in trained.starts] or [curve]
    write_csv(Path("metrics/plots/train_starts.csv"), starts_table(of_starts))
    write_json(
        Path("metrics/train.json"),
        {
            "validation_rmse_mev": validation_rmse_mev,
            "epochs": trained.fit.epochs,
            "starts": len(of_starts),
            "dead_starts": sum(start.dead for start in trained.starts),
            "restarts": trained.restarts,
            "parameters": parameters,
        },
    )
    say(*form.summary_lines("train"))
    if len(of_starts) > 1:
        say(*(f"train: start {n}: {s.line(scale_gev)}" for n, s in enumerate(trained.starts, 1)))
    say(
        f"train: {validation_rmse_mev:.2f} MeV on validation, "
        + (f"{trained.fit.epochs} epochs" if given is None else f"read from {params.train.weights}")
        + f", {parameters} parameters: {FLOAT_WEIGHTS}",
    )


if __name__ == "__main__":
    run_stage(main)
