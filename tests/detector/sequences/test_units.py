"""Units that a file names, in HDF5 and ROOT, and sizes that make no sense."""

import h5py
import numpy as np
import pytest
import uproot

from pipeline.base.files import ArtifactError
from pipeline.detector.sequences.root_file import LOCATIONS
from pipeline.detector.sequences.scale import check_scale
from pipeline.detector.sequences.sequence_file import KEYS, Sequences, open_sequences
from tests.detector.cell import made_up, sequence, simulate_params

GEV = made_up(100)
FACTORS = {"eV": 1e9, "keV": 1e6, "MeV": 1e3, "GeV": 1.0, "TeV": 1e-3}


def write(path, factor=1.0, values=GEV):
    with h5py.File(path, "w") as file:
        for key, column in zip(KEYS, values, strict=True):
            file[key] = column.astype(np.float64) * factor
    return path


def read(path):
    with open_sequences(path) as source:
        return source.read(0, source.n_bc)


def problem(path):
    with pytest.raises(ArtifactError) as caught:
        read(path)
    return str(caught.value)


def is_gev(found):
    return all(np.allclose(a, b, rtol=1e-6) for a, b in zip(found, GEV, strict=True))


@pytest.mark.parametrize("unit", FACTORS)
@pytest.mark.parametrize("name", ["unit", "units", "Unit", "UNITS"])
@pytest.mark.parametrize("place", ["dataset", "file"])
def test_units_are_converted(tmp_path, unit, name, place):
    path = write(tmp_path / "a.h5", FACTORS[unit])
    with h5py.File(path, "r+") as file:
        for item in [file[key] for key in KEYS] if place == "dataset" else [file]:
            item.attrs[name] = unit
    assert is_gev(read(path))


@pytest.mark.parametrize(
    "value",
    [
        "mev", "MEV", " MeV ", "[MeV]", b"MeV", np.bytes_("MeV"), np.array(["MeV"], "S8"),
        np.array([b"MeV"], object), np.array([["MeV"]], h5py.string_dtype()),
    ],
    ids=repr,
)  # fmt: skip
def test_forms_of_an_attribute(tmp_path, value):
    path = write(tmp_path / "a.h5", 1e3)
    with h5py.File(path, "r+") as file:
        for key in KEYS:
            file[key].attrs["unit"] = value
    assert is_gev(read(path))


def test_integers_in_mev(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for key in KEYS:
            file[key] = np.full(9, 1500, np.int16)
            file[key].attrs["unit"] = "MeV"
    assert read(path).hit_et_gev.tolist() == [1.5] * 9


def test_each_sequence_has_its_own_unit_and_the_nearest_counts(tmp_path):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["units"] = "MeV"
        for key in KEYS[:2]:
            file[key].attrs["unit"] = "GeV"
        for key in KEYS[2:]:
            file[key][...] *= 1e3
    assert is_gev(read(path))


def test_a_group_behind_a_link_says_its_unit(tmp_path):
    path = write(tmp_path / "a.h5", 1e3)
    with h5py.File(path, "r+") as file:
        group = file.create_group("data")
        group.attrs["unit"] = "MeV"
        for key in KEYS:
            file.move(key, f"data/{key}")
            file[key] = h5py.SoftLink(f"/data/{key}")
    assert is_gev(read(path))


@pytest.mark.parametrize("value", ["ADC counts", "GeV^2", "ns", "furlong", 3, [1, 2]])
def test_other_units_are_refused(tmp_path, value):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file[KEYS[1]].attrs["unit"] = value
    assert f"{KEYS[1]}: unit: expected eV, keV, MeV, GeV or TeV, found" in problem(path)


def test_two_units_of_one_dataset_are_refused(tmp_path):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file[KEYS[1]].attrs.update({"unit": "MeV", "units": "GeV"})
    assert "expected one unit" in problem(path)


@pytest.mark.parametrize("value", ["", b"", h5py.Empty("S1")], ids=repr)
def test_an_empty_attribute_says_nothing(tmp_path, value):
    path = write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file[KEYS[1]].attrs["unit"] = value
    assert is_gev(read(path))


def write_root(path, title, kind, cell="EMB", values=GEV):
    with uproot.recreate(path) as file:
        for location, column in zip(LOCATIONS, values, strict=True):
            name = f"{cell}/{location}" if cell else location
            if kind == "tree":
                file.mktree(name, {"value": np.float64}, title=title)
                file[name].extend({"value": column})
            else:
                histogram = uproot.writing.identify.to_TH1x(
                    None, title, np.concatenate([[0.0], column, [0.0]]), column.size, 0, 0, 0, 0,
                    np.zeros(column.size + 2),
                    uproot.writing.identify.to_TAxis(
                        "xaxis", "", column.size, 0.0, float(column.size)
                    ),
                )  # fmt: skip
                file[name] = histogram
    return path


@pytest.mark.parametrize("kind", ["tree", "histogram"])
@pytest.mark.parametrize(
    ("title", "factor"),
    [("E_{T} [MeV]", 1e3), ("E (gev)", 1), ("truth [BC]", 1), ("", 1), ("[keV] (middle)", 1e6)],
)
def test_titles_of_root_objects(tmp_path, kind, title, factor):
    values = Sequences(*(column.astype(np.float64) * factor for column in GEV))
    assert is_gev(read(write_root(tmp_path / "a.root", title, kind, values=values)))


@pytest.mark.parametrize("title", ["E [ADC counts]", "(counts)", "[mV]", "[MeV] [GeV]"])
def test_titles_with_other_units_are_refused(tmp_path, title):
    message = problem(write_root(tmp_path / "a.root", title, "tree"))
    assert "expected eV, keV" in message or "expected one unit" in message


@pytest.mark.parametrize("cell", ["EMB", "run/2026/EMB", ""])
@pytest.mark.parametrize("name", ["a.root", "a.ROOT", "a.Root", "a.h5", "root"])
def test_cells_at_any_depth_and_files_of_any_name(tmp_path, cell, name):
    assert is_gev(read(write_root(tmp_path / name, "", "tree", cell)))


def test_the_latest_cycle_of_a_tree_counts(tmp_path):
    path = write_root(tmp_path / "a.root", "", "tree", "x/EMB", [column * 2 for column in GEV])
    with uproot.update(path) as file:
        for location, column in zip(LOCATIONS, GEV, strict=True):
            file.mktree(f"x/EMB/{location}", {"value": np.float64})
            file[f"x/EMB/{location}"].extend({"value": column})
    assert is_gev(read(path))


def test_an_hdf5_file_is_one_whatever_its_name(tmp_path):
    assert is_gev(read(write(tmp_path / "a.root")))


SIMULATED = sequence(simulate_params(n_bc=3000))


def check(tmp_path, values, scale_gev=16.0):
    path = write(tmp_path / "a.h5", values=values)
    with open_sequences(path) as source:
        check_scale(path, source, scale_gev)


@pytest.mark.parametrize("factor", [1e3, 1e-3])
@pytest.mark.parametrize("field", ["dig_et_gev", "hit_et_gev", "ofmax_et_gev"])
def test_one_sequence_in_another_unit_is_refused(tmp_path, field, factor):
    changed = SIMULATED._replace(**{field: getattr(SIMULATED, field) * np.float32(factor)})
    with pytest.raises(ArtifactError, match="expected one unit, found an RMS of"):
        check(tmp_path, changed)


@pytest.mark.parametrize("factor", [1e3, 1e-3])
def test_a_whole_file_in_another_unit_is_doubted(tmp_path, capsys, factor):
    check(tmp_path, Sequences(*(column * np.float32(factor) for column in SIMULATED)))
    message = capsys.readouterr().err
    assert "prepare.et_scale_gev" in message
    assert message.startswith("warning: ")
    assert message.count("\n") == 1


def quiet(values):
    zeros = np.zeros_like(values.hit_et_gev)
    return values._replace(hit_et_gev=zeros, sig_et_gev=zeros)


def rare(values):
    """One deposit of 300 MeV in all BCs, noise alone beside it."""
    hit = np.zeros_like(values.hit_et_gev)
    hit[1500] = 0.3
    noise = np.random.default_rng(0).normal(0, 0.05, hit.size).astype(np.float32)
    return Sequences(noise, hit, np.maximum(noise, 0), hit)


@pytest.mark.parametrize(
    "values",
    [
        SIMULATED,
        quiet(SIMULATED),
        rare(SIMULATED),
        SIMULATED._replace(ofmax_et_gev=np.zeros(3000, np.float32)),
        Sequences(*(column * np.float32(20) for column in SIMULATED)),  # 100 GeV
    ],
    ids=["default", "noise", "rare", "no filter", "high"],
)
def test_ordinary_data_pass_in_silence(tmp_path, capsys, values):
    check(tmp_path, values)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("value", [3e38, -3e38, 1e20, 1e8])
@pytest.mark.parametrize("key", [0, 1, 2, 3])
def test_a_value_that_no_bunch_crossing_has_is_named(tmp_path, key, value):
    columns = [column.copy() for column in SIMULATED]
    columns[key][2345] = value
    with pytest.raises(ArtifactError) as caught:
        check(tmp_path, Sequences(*columns))
    message = str(caught.value)
    assert f"{KEYS[key]}: expected E_T within 1.6e+07 GeV" in message
    assert message.endswith("in BC 2345")
