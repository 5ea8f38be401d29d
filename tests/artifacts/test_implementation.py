"""Either there is RTL, with figures, or a reason why not."""

import pytest
from pydantic import ValidationError

from pipeline.artifacts.finetune import FinetuneFigures
from pipeline.artifacts.implementation import Implementation, Implemented, Routed
from pipeline.artifacts.survey import StreamCheck, Survey, SurveyedNetwork
from pipeline.base.files import ArtifactError, write_json
from pipeline.base.schema import read, write
from tests.firmware.sections import rtl_design

ROUTED = Routed(device="an ECP5", version="nextpnr 1", fmax_mhz=140.5, used={"CCU2C": 3})
CORE = Implemented(
    name="ecp5",
    title="Lattice ECP5",
    tool="Yosys 0.70",
    resources={"lut": 3},
    n_windows=200,
    mismatches=0,
    routed=ROUTED,
)
NETWORK = SurveyedNetwork(
    name="trial_07",
    kind="front",
    units=7,
    bits={"rnn_kernel": 1},
    weight_bits=40,
    energy_pj=57.5,
    validation_rmse_mev=48.5,
    float32_exact=True,
    design=rtl_design(),
    stream=StreamCheck(n_windows=300, mismatches=0, max_difference_mev=0.0),
    core=CORE,
)


@pytest.mark.parametrize(
    "artifact",
    [
        Implementation(design=rtl_design(), families=[CORE]),
        Implementation(no_rtl="tables"),
        Survey(networks=[NETWORK]),
        Survey(no_rtl="tables"),
    ],
)
def test_what_is_written_is_read_again(tmp_path, artifact):
    write(tmp_path / "a.json", artifact)
    assert read(type(artifact), tmp_path / "a.json") == artifact


@pytest.mark.parametrize(
    ("model", "content"),
    [
        (Implementation, {}),
        (Implementation, {"design": rtl_design(), "no_rtl": "tables"}),
        (Survey, {}),
        (Survey, {"networks": [NETWORK], "no_rtl": "tables"}),
    ],
)
def test_neither_or_both_is_refused(model, content):
    with pytest.raises(ValidationError, match="or else the reason why there is no RTL"):
        model(**content)


FINETUNE = {
    "energy_nj": 0.1,
    "validation_rmse_mev": 50.0,
    "weight_bits": 40.0,
    "bits": {"rnn_state": 9},
}


def test_of_the_metrics_of_finetune_some_figures_are_read(tmp_path):
    write_json(tmp_path / "finetune.json", FINETUNE | {"epochs": 60})
    assert read(FinetuneFigures, tmp_path / "finetune.json") == FinetuneFigures(**FINETUNE)


@pytest.mark.parametrize("name", FINETUNE)
def test_a_missing_figure_is_named(tmp_path, name):
    path = tmp_path / "finetune.json"
    write_json(path, {key: value for key, value in FINETUNE.items() if key != name})
    with pytest.raises(ArtifactError, match=rf"finetune\.json: {name}: Field required"):
        read(FinetuneFigures, path)
