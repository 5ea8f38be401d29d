"""Stage ``finetune``: train the chosen quantized network and turn it into integers.

Reads data/prepared.h5, models/float.weights.h5, models/search.json and
models/search.weights.h5; writes
models/quantized.weights.h5, models/quantized.json, models/integer.json,
data/quantized_test.npy (QKeras' own output on the test windows, scaled; in float64 where
float32 does not hold every sum of the integers),
metrics/finetune.json and metrics/plots/finetune.csv.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.base.arrays import Real
from pipeline.base.errors import run_stage
from pipeline.base.files import read_json, write_csv, write_json
from pipeline.base.schema import write
from pipeline.base.weights import FLOAT_WEIGHTS, load_weights, save_weights
from pipeline.integers.network import INTEGER_NETWORK
from pipeline.params import load_params
from pipeline.quantization.finetuning.gated_export import to_hardware_network
from pipeline.quantization.quantizers.hardware import check_exportable
from pipeline.quantization.training.record import chosen_trial, trial_weights
from pipeline.samples.predictions import QUANTIZED_TEST, write_predictions
from pipeline.samples.prepared import PREPARED, read_prepared

SEARCH = Path("models/search.json")
SEARCH_WEIGHTS = Path("models/search.weights.h5")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    found = read_json(SEARCH)
    trial = chosen_trial(found, params.finetune.trial, str(SEARCH))
    quantizers = trial.quantizers
    check_exportable(params.train.cell, quantizers)
    prepared = read_prepared(PREPARED)

    # TensorFlow takes seconds to load: only once parameters and data are known good.
    from pipeline.networks.fitting import WindowData
    from pipeline.networks.float_network import float_weight_shapes
    from pipeline.networks.runtime import make_strategy
    from pipeline.quantization.energy.cost import CostModel
    from pipeline.quantization.energy.network import float_network
    from pipeline.quantization.finetuning.double_precision import precision_metrics, predict_double
    from pipeline.quantization.finetuning.finetuning import finetune, finetune_metrics
    from pipeline.quantization.training.trainer import QatTrainer

    cell, units, length = params.train.cell, params.train.units, prepared.train.window_length
    scale_gev = prepared.train.et_scale_gev
    weights = load_weights(FLOAT_WEIGHTS, float_weight_shapes(cell, units, length))
    start = trial_weights(SEARCH_WEIGHTS, found, trial.name, cell)
    strategy = make_strategy(params.train.strategy)
    splits = prepared.train, prepared.validation, prepared.test
    train, validation, test = (WindowData.from_split(split, strategy) for split in splits)
    trainer = QatTrainer(cell, units, train, validation, strategy)
    tuned = finetune(trainer, quantizers, weights, start, params.finetune, test)
    network = to_hardware_network(cell, tuned.weights, quantizers, length, scale_gev)
    costs = CostModel(float_network(cell, units, length), params.energy, "energy")
    output: Real = tuned.test_output
    if network.exact and not network.float32_exact:
        output = predict_double(cell, quantizers, tuned.weights, test)
    metrics = finetune_metrics(tuned, quantizers, costs, scale_gev)
    metrics |= precision_metrics(tuned.test_output, output, scale_gev)
    texts = {tensor: quantizer.text for tensor, quantizer in quantizers.items()}

    save_weights(Path("models/quantized.weights.h5"), tuned.weights)
    write_json(
        Path("models/quantized.json"),
        {"cell": cell, "trial": trial.name, "units": trial.units, "quantizers": texts},
    )
    write(INTEGER_NETWORK, network)
    write_predictions(QUANTIZED_TEST, output)
    write_csv(Path("metrics/plots/finetune.csv"), tuned.fit.table(scale_gev))
    write_json(Path("metrics/finetune.json"), metrics)


if __name__ == "__main__":
    run_stage(main)
