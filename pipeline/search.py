"""Stage ``search``: find the best quantisers for every tensor of the network.

Reads data/prepared.h5 and models/float.weights.h5; writes models/search.json
(the choice and every trial), metrics/search.json and metrics/plots/trials.csv.
An interrupted search goes on with the trials it has.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts import load_weights, read_prepared, write_csv, write_json
from pipeline.errors import run_stage
from pipeline.params import load_params
from pipeline.quantization import search_state
from pipeline.quantization.quantizers import parse_quantizer
from pipeline.quantization.search_space import build_search_space, network_layers

PREPARED = Path("data/prepared.h5")
FLOAT_WEIGHTS = Path("models/float.weights.h5")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    choices = build_search_space(params.search, network_layers(params.train.cell))
    parse_quantizer(params.search.input_quantizer, "search.input_quantizer")
    prepared = read_prepared(PREPARED)

    # TensorFlow takes seconds to load: only once parameters and data are known good.
    from pipeline.quantization.cost import CostModel
    from pipeline.quantization.energy import float_network
    from pipeline.quantization.results import search_metrics, search_result, trial_table
    from pipeline.quantization.trial import QatTrainer
    from pipeline.quantization.tuner import QuantizationTuner, check_complete, float_reference
    from pipeline.rnn.fitting import WindowData
    from pipeline.rnn.network import float_weight_shapes

    cell, units, length = params.train.cell, params.train.units, prepared.train.window_length
    weights = load_weights(FLOAT_WEIGHTS, float_weight_shapes(cell, units, length))
    trainer = QatTrainer(
        cell,
        units,
        WindowData.from_split(prepared.train),
        WindowData.from_split(prepared.validation),
        params.train.strategy,
    )
    costs = CostModel(float_network(cell, units, length), params.energy, params.search.goal.type)
    settings = {
        "search": params.search.model_dump(),
        "energy": params.energy.model_dump(),
        "network": [cell, units, length, params.train.strategy],
    }
    state = search_state.state_directory([PREPARED, FLOAT_WEIGHTS], settings)
    search_state.set_aside_if_broken(state)
    tuner = QuantizationTuner(
        params=params.search,
        choices=choices,
        trainer=trainer,
        float_weights=weights,
        costs=costs,
        reference=float_reference(trainer, weights, costs),
        et_scale_gev=prepared.train.et_scale_gev,
        directory=state,
    )
    tuner.search()
    check_complete(tuner)
    result = search_result(tuner)
    write_csv(Path("metrics/plots/trials.csv"), trial_table(tuner))
    write_json(Path("models/search.json"), result)
    write_json(Path("metrics/search.json"), search_metrics(tuner))
    search_state.discard(state)


if __name__ == "__main__":
    run_stage(main)
