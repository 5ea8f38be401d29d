import numpy as np
import pytest
import uproot

from pipeline.base.files import ArtifactError
from pipeline.detector.sequences.root_file import LOCATIONS
from pipeline.detector.sequences.sequence_file import open_sequences
from tests.detector.cell import made_up

CELL = "EMB_EMMiddle_0.5125X0.0125"


def histogram(file, name, values):
    file[name] = (values, np.arange(values.size + 1.0))


def graph(file, name, values):
    file[name] = uproot.as_TGraph({"x": np.arange(float(values.size)), "y": values})


def tree(file, name, values):
    file.mktree(name, {"value": np.float32})
    file[name].extend({"value": values})


def write(path, kind=histogram, cell=CELL, without=(), values=None):
    with uproot.recreate(path) as file:
        for location, column in zip(LOCATIONS, values or made_up(60), strict=True):
            if location not in without:
                kind(file, f"{cell}/{location}", column)
    return path


def problem(path):
    with pytest.raises(ArtifactError) as caught, open_sequences(path):
        pass
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


@pytest.mark.parametrize("kind", [histogram, graph, tree])
def test_every_plain_object_is_read(tmp_path, kind):
    path = write(tmp_path / "cell.root", kind)
    with open_sequences(path) as source:
        found = source.read(0, source.n_bc)
    for values, expected in zip(found, made_up(60), strict=True):
        assert values.dtype == np.float32
        assert np.array_equal(values, expected)


def test_missing_file(tmp_path):
    assert "no such file" in problem(tmp_path / "none.root")


def test_truncated_file(tmp_path):
    path = write(tmp_path / "cell.root")
    path.write_bytes(path.read_bytes()[:300])
    assert "not a readable ROOT file" in problem(path)


def test_something_else(tmp_path):
    path = tmp_path / "cell.root"
    path.write_bytes(b"no ROOT file")
    assert "not a readable ROOT file" in problem(path)


def test_missing_sequence(tmp_path):
    assert f"{LOCATIONS[1]}: missing" in problem(
        write(tmp_path / "cell.root", without=[LOCATIONS[1]])
    )


def test_no_cell(tmp_path):
    with uproot.recreate(tmp_path / "cell.root") as file:
        histogram(file, "something", np.zeros(3))
    assert "expected one cell directory" in problem(tmp_path / "cell.root")


def test_two_cells(tmp_path):
    path = write(tmp_path / "cell.root")
    with uproot.update(path) as file:
        for location in LOCATIONS:
            histogram(file, f"EMB_other/{location}", np.zeros(60))
    assert "EMB_other" in problem(path)


def test_object_without_numbers(tmp_path):
    path = write(tmp_path / "cell.root", without=[LOCATIONS[0]])
    with uproot.update(path) as file:
        file[f"{CELL}/{LOCATIONS[0]}"] = "text"
    assert "found TObjString" in problem(path)


def test_tree_of_two_columns(tmp_path):
    path = write(tmp_path / "cell.root", without=[LOCATIONS[0]])
    with uproot.update(path) as file:
        file.mktree(f"{CELL}/{LOCATIONS[0]}", {"a": np.float32, "b": np.float32})
        file[f"{CELL}/{LOCATIONS[0]}"].extend({"a": np.zeros(60), "b": np.zeros(60)})
    assert "expected one column" in problem(path)


def test_values_are_checked_like_those_of_hdf5(tmp_path):
    values = [column.copy() for column in made_up(60)]
    values[2][5] = np.nan
    assert "sequence_OFMax_eT: expected finite numbers" in problem(
        write(tmp_path / "cell.root", values=values)
    )
