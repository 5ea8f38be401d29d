"""Two networks of a survey, made up."""

from pipeline.artifacts.implementation import Implemented
from pipeline.artifacts.survey import StreamCheck, SurveyedNetwork
from tests.firmware.sections import rtl_design

RESOURCES = {
    "lut": 3212,
    "lut_as_shift_register": 9,
    "ff": 3039,
    "carry": 1178,
    "dsp": 2,
    "bram": 0,
}
CHOSEN = SurveyedNetwork(
    name="finetuned",
    kind="finetuned",
    units=6,
    bits={"rnn_kernel": 8, "rnn_recurrent_kernel": 4, "rnn_state": 9, "input": 11},
    weight_bits=338,
    energy_pj=44.51,
    validation_rmse_mev=50.17,
    float32_exact=True,
    design=rtl_design(clock_period_ns=2.5, stages=25, latency_cycles=26),
    stream=StreamCheck(n_windows=20000, mismatches=0, max_difference_mev=0.0),
    core=Implemented(
        name="xcup",
        title="AMD UltraScale+",
        tool="Yosys 0.70",
        resources=RESOURCES,
        n_windows=500,
        mismatches=0,
    ),
)
WIDE = CHOSEN.model_copy(
    update={
        "name": "uniform_16",
        "kind": "uniform",
        "units": 8,
        "weight_bits": 1406,
        "energy_pj": 256.3,
        "float32_exact": False,
        "core": CHOSEN.core.model_copy(update={"resources": {**RESOURCES, "lut": 17000}}),
    }
)
ECP5 = CHOSEN.model_copy(
    update={
        "core": CHOSEN.core.model_copy(update={"name": "ecp5", "title": "Lattice ECP5"}),
    }
)
