"""What this project uses of libraries beyond their documented interface is still there.

An update that renames one of these must fail here, with its name, not hours into a search.
"""

from __future__ import annotations

import importlib
import inspect

import pytest

ATTRIBUTES = {
    # keras-tuner: how an oracle keeps, repeats and hands out trials
    "keras_tuner.src.engine.oracle": [
        "Oracle._get_oracle_fname",
        "Oracle._get_trial_dir",
        "Oracle.populate_space",
        "Oracle.end_trial",
    ],
    "keras_tuner.src.tuners.randomsearch": ["RandomSearchOracle.populate_space"],
    "keras_tuner.src.tuners.hyperband": [
        "HyperbandOracle._get_size",
        "HyperbandOracle._get_num_brackets",
        "HyperbandOracle._get_num_rounds",
    ],
    "keras_tuner.src.tuners.bayesian": ["BayesianOptimizationOracle._random_populate_space"],
    "keras_tuner.src.engine.trial": ["TrialStatus.STOPPED", "TrialStatus.COMPLETED", "Trial"],
    "keras_tuner.src.distribute.oracle_client": ["OracleClient"],
    "keras_tuner.src.distribute.oracle_chief": ["OracleServicer"],
    # QKeras: the energy model's operators and the quantizers behind them
    "qkeras.qtools.quantized_operators": ["AccumulatorFactory", "MultiplierFactory"],
    "qkeras.qtools.quantized_operators.quantizer_factory": ["QuantizerFactory"],
    "qkeras.qtools.settings": ["cfg"],
    # da4ml: symbolic tracing, and the files of its RTL
    "da4ml.trace": ["FixedVariableArray", "HWConfig", "comb_trace"],
    "da4ml.trace.pipeline": ["to_pipeline"],
    "da4ml.codegen.rtl.verilog": ["pipeline_logic_gen"],
    "da4ml.codegen.rtl.vhdl": ["pipeline_logic_gen"],
    # hls4ml: graphs that are built layer by layer
    "hls4ml.model": ["ModelGraph"],
    "hls4ml.utils.config": ["create_config"],
}


@pytest.mark.parametrize(
    ("module", "attribute"),
    [(module, name) for module, names in ATTRIBUTES.items() for name in names],
)
def test_attribute_is_there(module, attribute):
    value = importlib.import_module(module)
    for part in attribute.split("."):
        assert hasattr(value, part), f"{module}.{attribute}"
        value = getattr(value, part)


def test_an_oracle_keeps_its_trials_where_workers_look_for_them():
    from keras_tuner import Objective
    from keras_tuner.src.tuners.randomsearch import RandomSearchOracle

    oracle = RandomSearchOracle(objective=Objective("score", "max"), max_trials=1, seed=1)
    assert oracle.ongoing_trials == {}
    assert oracle.tuner_ids == set()
    assert oracle._retry_queue == []
    assert isinstance(oracle._max_collisions, int)


def test_adam_keeps_its_moments_where_a_checkpoint_takes_them():
    import tensorflow as tf

    optimizer = tf.keras.optimizers.Adam()
    optimizer.build([tf.Variable([1.0])])
    assert [len(optimizer._momentums), len(optimizer._velocities)] == [1, 1]


def test_da4ml_arrays_hold_their_variables():
    from da4ml.trace import FixedVariableArray

    assert "_vars" in inspect.getsource(FixedVariableArray.__init__)
