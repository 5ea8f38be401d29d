import h5py
import numpy as np
import pytest

from pipeline.base.files import ArtifactError
from pipeline.detector.sequences import sequence_file
from pipeline.detector.sequences.sequence_file import (
    KEYS,
    Sequences,
    open_sequences,
    write_sequences,
)
from tests.detector.cell import made_up

DIG = KEYS[0]


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "sequences.h5"
    write_sequences(target, 100, [made_up(100)])
    return target


def replace(path, create):
    with h5py.File(path, "r+") as file:
        del file[DIG]
        create(file)


def problem(path):
    with pytest.raises(ArtifactError) as caught, open_sequences(path):
        pass
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_what_is_written_is_read(path, monkeypatch):
    monkeypatch.setattr(sequence_file, "READ_BC", 33)
    with open_sequences(path) as source:
        assert source.n_bc == 100
        joined = [np.concatenate(parts) for parts in zip(*source.chunks(), strict=True)]
        part = [np.concatenate(parts) for parts in zip(*source.chunks(10, 90), strict=True)]
    for values, piece, expected in zip(joined, part, made_up(100), strict=True):
        assert values.dtype == np.float32
        assert np.array_equal(values, expected)
        assert np.array_equal(piece, expected[10:90])


def test_units_and_types_stand_in_the_file(path):
    with h5py.File(path) as file:
        assert set(file) == set(KEYS)
        for key in KEYS:
            assert file[key].dtype == np.float32
            assert file[key].attrs["unit"] == "GeV"


@pytest.mark.parametrize("size", [1, 33, 100])
def test_bytes_do_not_depend_on_the_chunks(path, tmp_path, size):
    data = made_up(100)
    other = tmp_path / "other.h5"
    write_sequences(
        other, 100, [Sequences(*(v[i : i + size] for v in data)) for i in range(0, 100, size)]
    )
    assert other.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("n_bc", [99, 101])
def test_a_wrong_length_leaves_the_old_file(path, n_bc):
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match=f"expected {n_bc} BCs, found"):
        write_sequences(path, n_bc, [made_up(100)])
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_file(tmp_path):
    assert "no such file" in problem(tmp_path / "none.h5")


def test_truncated_file(path):
    path.write_bytes(path.read_bytes()[:-200])
    assert "truncated" in problem(path)


def test_something_else(path):
    path.write_bytes(b"not HDF5 at all")
    assert "not a readable HDF5 file" in problem(path)


def test_missing_sequence(path):
    replace(path, lambda file: None)
    assert f"{DIG}: missing" in problem(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((100, 1), np.float32), "expected one dimension, found (100, 1)"),
        (np.float32(1), "expected one dimension, found ()"),
        (h5py.Empty("f4"), "expected one dimension, found None"),
        (np.zeros(99, np.float32), "one length"),
        (np.zeros(100, "S4"), "expected numbers"),
        (np.zeros(100, bool), "expected numbers"),
        (np.zeros(100, complex), "expected numbers"),
        (np.full(100, np.nan), "expected finite numbers, found nan in BC 0"),
        (np.full(100, 1e300), "expected finite numbers, found inf in BC 0"),
    ],
)
def test_wrong_data(path, data, words):
    replace(path, lambda file: file.create_dataset(DIG, data=data))
    message = problem(path)
    assert words in message
    assert DIG in message


def test_the_bad_bunch_crossing_is_named(path, monkeypatch):
    monkeypatch.setattr(sequence_file, "READ_BC", 10)
    with h5py.File(path, "r+") as file:
        file[DIG][57] = np.inf
    assert f"{DIG}: expected finite numbers, found inf in BC 57" in problem(path)


def test_other_numeric_types_and_compression_are_fine(path):
    replace(path, lambda file: file.create_dataset(DIG, data=np.arange(100), compression="gzip"))
    with open_sequences(path) as source:
        assert source.read(0, 3).dig_et_gev.tolist() == [0, 1, 2]


@pytest.fixture
def secret(tmp_path):
    target = tmp_path / "secret.h5"
    with h5py.File(target, "w") as file:
        file["x"] = np.zeros(100, np.float32)
    return target


def test_external_links_are_refused(path, secret):
    replace(path, lambda file: file.__setitem__(DIG, h5py.ExternalLink(str(secret), "x")))
    assert "found a link to another file" in problem(path)


@pytest.mark.parametrize(
    "links",
    [
        {DIG: "/" + KEYS[1]},
        {DIG: "first", "first": "group/second", "group/second": KEYS[1]},
        {DIG: "/a/./" + KEYS[1], "a": "/"},
    ],
)
def test_soft_links_inside_the_file_are_followed(path, links):
    replace(path, lambda file: file.update({k: h5py.SoftLink(to) for k, to in links.items()}))
    if "group/second" in links:  # it names its target from where it lies
        with h5py.File(path, "r+") as file:
            del file["group/second"]
            file["group/second"] = h5py.SoftLink("/" + KEYS[1])
    with open_sequences(path) as source:
        found = source.read(0, 100)
    assert np.array_equal(found.dig_et_gev, found.hit_et_gev)


def test_soft_links_that_lead_out_nowhere_or_round_are_refused(path, secret):
    def link(file, target):
        file[DIG] = h5py.SoftLink(target)

    with h5py.File(path, "r+") as file:
        file["out"] = h5py.ExternalLink(str(secret), "/")
    replace(path, lambda file: link(file, "/out/x"))
    assert f"{DIG}: expected data in this file, found a link to another file" in problem(path)
    replace(path, lambda file: link(file, "/nowhere/x"))
    assert "nowhere: missing, which a soft link names" in problem(path)
    replace(path, lambda file: link(file, DIG))
    assert "soft links that go round in a circle" in problem(path)


def test_virtual_datasets_are_refused(path, secret):
    layout = h5py.VirtualLayout((100,), np.float32)
    layout[:] = h5py.VirtualSource(str(secret), "x", (100,))
    replace(path, lambda file: file.create_virtual_dataset(DIG, layout))
    assert "found a virtual dataset" in problem(path)


def test_external_storage_is_refused(path, tmp_path):
    raw = tmp_path / "secret.bin"
    raw.write_bytes(bytes(400))
    replace(
        path,
        lambda file: file.create_dataset(
            DIG, (100,), np.float32, external=[(str(raw), 0, h5py.h5f.UNLIMITED)]
        ),
    )
    assert "found external storage" in problem(path)


def test_a_group_is_not_a_sequence(path):
    replace(path, lambda file: file.create_group(DIG))
    assert "expected a dataset, found a Group" in problem(path)


def test_damaged_data_are_reported(path):
    replace(
        path,
        lambda file: file.create_dataset(
            DIG, data=np.arange(100.0), chunks=(100,), fletcher32=True
        ),
    )
    with h5py.File(path) as file:
        offset = file[DIG].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 8] ^= 0xFF
    path.write_bytes(content)
    assert "unreadable" in problem(path)


def test_damaged_bytes_are_one_clear_line_or_read_as_numbers(path):
    """Flipped bytes may change values unnoticed, but never end in anything but our error."""
    whole = path.read_bytes()
    generator = np.random.default_rng(1)
    messages = []
    for _ in range(300):
        damaged = bytearray(whole)
        for position in generator.integers(0, len(whole), 4):
            damaged[position] ^= int(generator.integers(1, 256))
        path.write_bytes(damaged)
        try:
            with open_sequences(path) as source:
                assert source.n_bc > 0
        except ArtifactError as error:
            messages.append(str(error))
    assert len(messages) > 30
    assert all(message.startswith(str(path)) and "\n" not in message for message in messages)
