"""Stage ``finetune``: train the chosen quantized network and turn it into integers.

Reads data/prepared.h5, models/float.weights.h5, models/search.json and
models/search.weights.h5; writes
models/quantized.weights.h5, models/quantized.json, models/integer.json,
data/quantized_test.npy (QKeras' own output on the test windows, scaled; in float64 where
float32 does not hold every sum of the integers),
models/profile.json (layers, tensors and energy of the network), metrics/finetune.json and
metrics/plots/finetune.csv.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.profile import PROFILE
from pipeline.artifacts.search import SEARCH, SearchResult
from pipeline.base.architecture import Architecture
from pipeline.base.arrays import Real
from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_csv, write_json
from pipeline.base.schema import read, write
from pipeline.base.weights import FLOAT_WEIGHTS, load_weights, save_weights
from pipeline.integers.network import INTEGER_NETWORK
from pipeline.params import load_params
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.finetuning.export import to_integer_network
from pipeline.quantization.finetuning.profile import profile_network, summary_lines
from pipeline.quantization.finetuning.trials import trial_quantizers, trial_weights
from pipeline.quantizers.hardware import check_exportable
from pipeline.samples.predictions import QUANTIZED_TEST, write_predictions
from pipeline.samples.prepared import PREPARED, read_prepared


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    search = read(SearchResult, SEARCH)
    trial = search.network(params.finetune.trial, "finetune.trial")
    quantizers = trial_quantizers(trial)
    prepared = read_prepared(PREPARED)
    length, scale_gev = prepared.train.window_length, prepared.train.et_scale_gev
    float_form = Architecture(params.train.cell, params.train.units, length)
    chosen_form = float_form.with_units(trial.units)
    check_exportable(chosen_form, quantizers)

    # TensorFlow takes seconds to load: only once parameters and data are known good.
    from pipeline.networks.fitting import WindowData
    from pipeline.networks.runtime import make_strategy
    from pipeline.quantization.finetuning.double_precision import precision_metrics, predict_double
    from pipeline.quantization.finetuning.finetuning import (
        finetune,
        finetune_line,
        finetune_metrics,
    )
    from pipeline.quantization.training.trainer import QatTrainer

    weights = load_weights(FLOAT_WEIGHTS, float_form.weight_shapes)
    start = trial_weights(search, float_form)[trial.trial]
    strategy = make_strategy(params.train.strategy)
    splits = prepared.train, prepared.validation, prepared.test
    train, validation, test = (WindowData.from_split(split, strategy) for split in splits)
    trainer = QatTrainer(float_form, train, validation, strategy)
    tuned = finetune(trainer, quantizers, weights, start, params.finetune, test)
    network = to_integer_network(chosen_form, tuned.weights, quantizers, scale_gev)
    costs = CostModel(float_form, params.energy, "energy")
    output: Real = tuned.test_output
    if network.exact and not network.float32_exact:
        output = predict_double(chosen_form, quantizers, tuned.weights, test)
    metrics = finetune_metrics(tuned, quantizers, costs, scale_gev)
    metrics |= precision_metrics(tuned.test_output, output, scale_gev)
    cost = costs.network(quantizers, trial.units)
    profile = profile_network(trial.trial, chosen_form, quantizers, tuned.weights, cost, costs)

    save_weights(Path("models/quantized.weights.h5"), tuned.weights)
    write_json(
        Path("models/quantized.json"),
        {
            "cell": chosen_form.cell,
            "trial": trial.trial,
            "units": trial.units,
            "quantizers": trial.quantizers,
        },
    )
    write(INTEGER_NETWORK, network)
    write_predictions(QUANTIZED_TEST, output)
    write_csv(Path("metrics/plots/finetune.csv"), tuned.fit.table(scale_gev))
    write(PROFILE, profile)
    write_json(Path("metrics/finetune.json"), metrics)
    say(*summary_lines(profile, cost), finetune_line(trial.trial, metrics))


if __name__ == "__main__":
    run_stage(main)
