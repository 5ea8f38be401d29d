from pathlib import Path

import h5py
import numpy as np
import pytest
import uproot

from pipeline import prepare
from pipeline.base.errors import run_stage
from pipeline.base.files import ArtifactError, read_json
from pipeline.detector.sequences import sequence_file
from pipeline.detector.sequences.root_file import LOCATIONS
from pipeline.detector.sequences.sequence_file import KEYS, Sequences, write_sequences
from pipeline.samples.prepared import (
    SPLITS,
    Geometry,
    SplitStream,
    read_prepared,
    stream_prepared,
)
from tests.detector.cell import made_up, sequence, simulate_params
from tests.samples.files import write_prepared
from tests.workplace import set_params

SOURCE = Path("source.h5")


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    set_params(data={"file": str(SOURCE)})
    values = sequence(simulate_params(n_bc=5000))
    write_sequences(SOURCE, 5000, [values])
    return values


def outputs():
    return prepare.PREPARED.read_bytes(), prepare.METRICS.read_bytes()


def test_splits_follow_each_other_in_time(data):
    prepare.main()
    prepared = read_prepared(prepare.PREPARED)
    assert [getattr(prepared, name).n_windows for name in SPLITS] == [2242, 245, 2498]
    for field in Sequences._fields:
        joined = np.concatenate([getattr(getattr(prepared, name), field) for name in SPLITS])
        assert np.array_equal(joined, getattr(data, field))
    assert prepared.test.window_length == 5
    assert prepared.test.target_lag == 5
    assert prepared.test.et_scale_gev == 16.0


def test_metrics_describe_the_sequence(data):
    prepare.main()
    found = read_json(prepare.METRICS)
    assert found["n_bc"] == 5000
    assert found["mean_square_et_gev2"] == pytest.approx(np.mean(data.hit_et_gev**2), rel=1e-5)
    assert found["occupancy"] == pytest.approx(np.mean(data.hit_et_gev > 0))
    assert 50 < found["noise_mev"] < 200
    assert found["windows"] == {"train": 2242, "validation": 245, "test": 2498}


def test_bytes_repeat_for_any_reading_size(data, monkeypatch):
    prepare.main()
    first = outputs()[0]
    monkeypatch.setattr(sequence_file, "READ_BC", 77)
    prepare.main()
    assert outputs()[0] == first


def test_writing_from_memory_gives_the_same_bytes(data):
    prepare.main()
    write_prepared(Path("again.h5"), read_prepared(prepare.PREPARED))
    assert Path("again.h5").read_bytes() == prepare.PREPARED.read_bytes()


def test_root_and_hdf5_give_the_same_result(data):
    prepare.main()
    first = outputs()
    with uproot.recreate("source.root") as file:
        for location, values in zip(LOCATIONS, data, strict=True):
            file[f"EMB_cell/{location}"] = (values, np.arange(values.size + 1.0))
    set_params(data={"file": "source.root"})
    prepare.main()
    assert outputs() == first


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda: SOURCE.unlink(), "no such file"),
        (lambda: SOURCE.write_bytes(SOURCE.read_bytes()[:-100]), "truncated"),
        (lambda: write_sequences(SOURCE, 8, [made_up(8)]), "at least one window"),
        (lambda: spoil(np.nan), "expected finite numbers"),
    ],
)
def test_bad_input_leaves_earlier_outputs(data, capsys, damage, words):
    prepare.main()
    said = capsys.readouterr().err
    assert said.startswith("prepare: windows: ")
    assert said.count("\n") == 1
    before = outputs()
    damage()
    with pytest.raises(SystemExit) as caught:
        run_stage(prepare.main)
    assert caught.value.code == 1
    message = capsys.readouterr().err
    assert words in message
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert outputs() == before
    assert not list(Path("data").glob("*.tmp"))


def spoil(value):
    with h5py.File(SOURCE, "r+") as file:
        file[KEYS[1]][4999] = value


@pytest.mark.parametrize("n_bc", [59, 61])
def test_a_stream_of_another_length_is_an_error(tmp_path, n_bc):
    target = tmp_path / "prepared.h5"
    streams = {name: SplitStream(n_bc, [made_up(60)]) for name in SPLITS}
    with pytest.raises(ArtifactError, match=f"train: expected {n_bc} BCs, found"):
        stream_prepared(target, Geometry(5, 5, 16.0), streams)
    assert not target.exists()
