from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline import evaluate
from pipeline.base.files import ArtifactError
from pipeline.params import ParamsError, load_params, parse_params
from pipeline.samples.prepared import Split
from tests.workplace import PARAMS, contents, make_split, make_workplace

FILES = [
    "evaluate.json",
    "evaluate.md",
    "plots/evaluate/residuals_all.png",
    "plots/evaluate/residuals_high.png",
    "plots/evaluate/resolution_by_class.png",
    "plots/evaluate/resolution_by_gap.png",
    "plots/evaluate/response.png",
    "plots/evaluate/stretch.png",
    "plots/residuals.csv",
    "plots/resolution_by_class.csv",
    "plots/response.csv",
]


def split_of(name: str, n_bc: int) -> Split:
    rng = np.random.default_rng(2)
    hit = np.where(rng.random(n_bc) < 0.2, rng.uniform(0, 5, n_bc), 0).astype(np.float32)
    return make_split(name, hit, hit, window_length=5)


def fill() -> None:
    test = split_of("test", 2005)
    make_workplace([split_of("train", 50), split_of("validation", 50), test])
    perfect = test.hit_et_gev[: test.n_windows] / np.float32(16)
    np.save("data/float_test.npy", perfect)
    np.save("data/quantized_test.npy", perfect + np.float32(0.001))
    np.save("data/firmware_test.npy", perfect + np.float32(0.001))


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fill()
    return tmp_path


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """The folder of a finished run."""
    with contextlib.chdir(tmp_path_factory.mktemp("evaluated")):
        fill()
        evaluate.main()
        return Path.cwd()


def test_writes_every_file_and_the_same_bytes_twice(evaluated, monkeypatch):
    monkeypatch.chdir(evaluated)
    first = contents(evaluated / "metrics")
    evaluate.main()
    assert sorted(first) == sorted(FILES)
    assert contents(evaluated / "metrics") == first


def test_scale_and_alignment_are_right(evaluated):
    found = json.loads((evaluated / evaluate.METRICS).read_text())
    for name in ("ofmax", "float"):
        assert found[name]["all"]["rmse_mev"] == pytest.approx(0, abs=1e-3)
    assert found["firmware"]["all"]["bias_mev"] == pytest.approx(16.0, abs=1e-2)
    assert found["firmware"] == found["quantized"]


def test_the_label_says_the_pile_up_of_the_parameters(evaluated):
    params = load_params(evaluated / "params.yaml")
    mu = f"{params.simulate.pileup.mean_interactions:g}"
    heading = (evaluated / evaluate.TABLE).read_text(encoding="utf-8").splitlines()[0]
    assert heading == "# " + params.evaluate.label.format(mu=mu)


@pytest.mark.parametrize("length", [1999, 2001])
def test_a_prediction_file_of_wrong_length_stops_before_anything_is_written(workplace, length):
    np.save("data/firmware_test.npy", np.zeros(length, np.float32))
    with pytest.raises(ArtifactError, match=rf"firmware_test\.npy: .*\(2000,\).*\({length},\)"):
        evaluate.main()
    assert not (workplace / "metrics").exists()


def test_a_nan_prediction_is_refused(workplace):
    values = np.zeros(2000, np.float32)
    values[3] = np.nan
    np.save("data/quantized_test.npy", values)
    with pytest.raises(ArtifactError, match=r"quantized_test\.npy: .*window 3"):
        evaluate.main()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gap_edges_bc": [15, 15]}, "gap_edges_bc must be positive and increase"),
        ({"gap_edges_bc": [0, 15]}, r"gap_edges_bc\.0: .* greater than or equal to 1, found 0"),
        ({"high_et_mev": 240.0}, "high_et_mev must exceed low_et_mev"),
        ({"residual_bin_mev": 2000.0}, "residual_bin_mev must not exceed residual_range_mev"),
        ({"residual_bin_mev": 0.1}, "must not exceed 1000"),
        ({"stretch_length_bc": 1}, r"evaluate\.stretch_length_bc"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(change, message):
    tree = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    tree["evaluate"] |= change
    with pytest.raises(ParamsError, match=message):
        parse_params(tree)
