import h5py
import pytest
import yaml

from pipeline import simulate
from pipeline.base.errors import run_stage
from tests.workplace import PARAMS, set_params


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    set_params(simulate={"n_bc": 3000})


def test_writes_the_sequence_file():
    simulate.main()
    with h5py.File(simulate.SIMULATED) as file:
        assert file["sequence_dig_eT"].shape == (3000,)


@pytest.mark.parametrize("chunk_bc", [64, 1000, 131072])
def test_same_parameters_same_bytes_for_any_chunk(chunk_bc):
    simulate.main()
    before = simulate.SIMULATED.read_bytes()
    set_params(simulate={"chunk_bc": chunk_bc})
    simulate.main()
    assert simulate.SIMULATED.read_bytes() == before


def test_without_a_terminal_it_says_one_line_of_what_it_wrote(capfd):
    simulate.main()
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("simulate: ")
    assert err.endswith(f" BCs: {simulate.SIMULATED}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("adc", {"pedestal_counts": 4096}, "simulate.adc: pedestal_counts must stay below"),
        ("bunch_train", {"empty_bc": 8}, "simulate.bunch_train: empty_bc must be 0"),
        ("pileup", {"hit_probability": 1.5}, "simulate.pileup.hit_probability"),
    ],
)
def test_a_wrong_parameter_leaves_the_old_file(capsys, section, change, words):
    simulate.main()
    before = simulate.SIMULATED.read_bytes()
    tree = yaml.safe_load(PARAMS.read_text())["simulate"][section]
    set_params(simulate={section: tree | change})
    with pytest.raises(SystemExit):
        run_stage(simulate.main)
    assert words in capsys.readouterr().err
    assert simulate.SIMULATED.read_bytes() == before
