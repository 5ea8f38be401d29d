"""Stage ``train``: fit the float network on the prepared windows.

Reads data/prepared.h5; writes models/float.weights.h5, data/float_test.npy
(the network's output on the test windows, scaled), metrics/train.json and the
loss curve metrics/plots/train.csv.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import run_stage
from pipeline.base.files import write_csv, write_json
from pipeline.base.weights import FLOAT_WEIGHTS, save_weights
from pipeline.params import load_params
from pipeline.samples.predictions import FLOAT_TEST, write_predictions
from pipeline.samples.prepared import PREPARED, read_prepared


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    prepared = read_prepared(PREPARED)

    # TensorFlow only once the input is known good.
    from pipeline.networks.fitting import WindowData, rmse_mev
    from pipeline.networks.runtime import make_strategy
    from pipeline.networks.training import train_float

    strategy = make_strategy(params.train.strategy)
    splits = prepared.train, prepared.validation, prepared.test
    data = [WindowData.from_split(split, strategy) for split in splits]
    trained = train_float(params.train, strategy, *data)
    scale_gev = prepared.train.et_scale_gev
    save_weights(FLOAT_WEIGHTS, trained.weights)
    write_predictions(FLOAT_TEST, trained.test_output)
    write_csv(Path("metrics/plots/train.csv"), trained.fit.table(scale_gev))
    write_json(
        Path("metrics/train.json"),
        {
            "validation_rmse_mev": rmse_mev(trained.validation_loss, scale_gev),
            "epochs": trained.fit.epochs,
            "restarts": trained.restarts,
            "parameters": sum(weight.size for weight in trained.weights.values()),
        },
    )


if __name__ == "__main__":
    run_stage(main)
