import h5py
import pytest
import yaml

from pipeline import simulate
from pipeline.base.errors import run_stage
from tests.detector.cell import PARAMS_FILE


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def configure(**changes):
        tree = yaml.safe_load(PARAMS_FILE.read_text())
        tree["simulate"].update({"n_bc": 3000} | changes)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))

    return configure


def test_writes_the_sequence_file(workplace):
    workplace()
    simulate.main()
    with h5py.File(simulate.SIMULATED) as file:
        assert file["sequence_dig_eT"].shape == (3000,)


@pytest.mark.parametrize("chunk_bc", [64, 1000, 131072])
def test_same_parameters_same_bytes_for_any_chunk(workplace, chunk_bc):
    workplace()
    simulate.main()
    before = simulate.SIMULATED.read_bytes()
    workplace(chunk_bc=chunk_bc)
    simulate.main()
    assert simulate.SIMULATED.read_bytes() == before


def test_quiet_without_a_terminal(workplace, capfd):
    workplace()
    simulate.main()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("adc", {"pedestal_counts": 4096}, "simulate.adc: pedestal_counts must stay below"),
        ("bunch_train", {"empty_bc": 8}, "simulate.bunch_train: empty_bc must be 0"),
        ("pileup", {"hit_probability": 1.5}, "simulate.pileup.hit_probability"),
    ],
)
def test_a_wrong_parameter_leaves_the_old_file(workplace, capsys, section, change, words):
    workplace()
    simulate.main()
    before = simulate.SIMULATED.read_bytes()
    tree = yaml.safe_load(PARAMS_FILE.read_text())["simulate"][section]
    workplace(**{section: tree | change})
    with pytest.raises(SystemExit):
        run_stage(simulate.main)
    assert words in capsys.readouterr().err
    assert simulate.SIMULATED.read_bytes() == before
