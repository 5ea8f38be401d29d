"""The hand-over file: what is inconsistent is refused, with its key."""

import copy

import pytest

from pipeline.base.files import ArtifactError, write_json
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.gated import write_network
from pipeline.integers.network import read_integer_network
from tests.integers.networks import fixed, random_network

NETWORK = random_network(units=2, length=3)


def test_round_trip_and_repeatable_bytes(tmp_path):
    path = tmp_path / "integer.json"
    write_network(path, NETWORK)
    first = path.read_bytes()
    assert read_integer_network(path) == NETWORK
    write_network(path, read_integer_network(path))
    assert path.read_bytes() == first


def at(tree, keys, value):
    for key in keys[:-1]:
        tree = tree[key]
    tree[keys[-1]] = value


RNN = ("layers", 0)
DENSE = ("layers", 1)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("schema_version",), 2, "schema_version"),
        (("window_length",), 0, "window_length"),
        (("et_scale_gev",), -1.0, "et_scale_gev"),
        (("surplus",), 1, "surplus"),
        (("input", "bits"), 63, r"input\.bits"),
        (("input", "rounding"), "FLOOR", r"input\.rounding"),
        ((*RNN, "kernel", "integers"), [[1, 200]], "do not fit 8 signed bits"),
        ((*RNN, "kernel", "integers"), [[1, 2], [3]], "rectangular"),
        ((*RNN, "kernel", "integers"), [[1.5, 2.0]], "array of integers"),
        ((*RNN, "kernel", "integers"), [], "array of integers"),
        ((*RNN, "kernel", "integers"), [1, 2], "two axes"),
        ((*RNN, "kernel", "integers"), [[1, 2], [3, 4]], "2 inputs, expected 1"),
        ((*RNN, "recurrent_kernel", "integers"), [[1, 2]], r"shape \(2, 2\)"),
        ((*RNN, "bias", "integers"), [1, 2, 3], r"shape \(2,\), found \(3,\)"),
        ((*RNN, "kind"), "lstm", "layers"),
        ((*DENSE, "kernel", "integers"), [[1]], "dense0: kernel has 1 inputs, expected 2"),
        (("layers",), [], "layers"),
    ],
)
def test_inconsistent_files_are_refused(tmp_path, keys, value, message):
    tree = copy.deepcopy(NETWORK.model_dump())
    at(tree, keys, value)
    path = tmp_path / "integer.json"
    write_json(path, tree)
    with pytest.raises(ArtifactError, match=message) as caught:
        read_integer_network(path)
    assert str(path) in str(caught.value)


def test_layers_must_be_a_recurrent_one_then_dense_ones(tmp_path):
    tree = NETWORK.model_dump()
    path = tmp_path / "integer.json"
    write_json(path, {**tree, "layers": tree["layers"][::-1]})
    with pytest.raises(ArtifactError, match="one simple_rnn followed by dense"):
        read_integer_network(path)
    write_json(path, {**tree, "layers": tree["layers"][:1]})
    with pytest.raises(ArtifactError, match="one output, found 2"):
        read_integer_network(path)


@pytest.mark.parametrize(
    ("signed", "bits", "limits"),
    [(True, 8, (-128, 127)), (False, 8, (0, 255)), (True, 1, (-1, 0)), (False, 1, (0, 1))],
)
def test_limits_of_a_type(signed, bits, limits):
    of = FixedPointType(signed=signed, bits=bits, fraction_bits=3)
    assert (of.minimum, of.maximum) == limits
    assert of.step == 0.125


def test_accessors():
    assert NETWORK.rnn.name == "rnn"
    assert [layer.name for layer in NETWORK.dense] == ["dense0"]
    assert fixed(8, 2)["fraction_bits"] == 6
