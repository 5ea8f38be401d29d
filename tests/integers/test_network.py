"""The hand-over file of any cell: round trip, and what is inconsistent is refused, with its key."""

import copy
import json

import numpy as np
import pytest

from pipeline.base.errors import PipelineError
from pipeline.base.files import ArtifactError, write_json
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.base.schema import read, write
from pipeline.integers import golden
from pipeline.integers.layers import GATES
from pipeline.integers.network import IntegerNetwork
from tests.integers.networks import fixed, random_gated_network, random_network

NETWORK = random_network(units=2, length=3)


@pytest.mark.parametrize("network", [NETWORK, *map(random_gated_network, GATES)])
def test_round_trip_and_repeatable_bytes(tmp_path, network):
    path = tmp_path / "integer.json"
    write(path, network)
    first = path.read_bytes()
    assert read(IntegerNetwork, path) == network
    write(path, read(IntegerNetwork, path))
    assert path.read_bytes() == first


def test_the_bytes_are_those_of_the_content(tmp_path):
    """Sorted keys; cached properties are no content."""
    path = tmp_path / "integer.json"
    write(path, NETWORK)
    text = json.dumps(json.loads(path.read_text()), sort_keys=True, indent=2) + "\n"
    assert path.read_text() == text
    assert set(json.loads(text)) == {
        "schema_version", "window_length", "et_scale_gev", "input", "layers",
    }  # fmt: skip


def test_bits_of_units_are_written_only_where_they_are(tmp_path):
    path = tmp_path / "integer.json"
    write(path, NETWORK)
    assert "unit_bits" not in path.read_text()
    narrow = random_network(units=2, length=3, unit_bits=[5, 8])
    write(path, narrow)
    assert read(IntegerNetwork, path) == narrow
    assert [of.bits for of in narrow.rnn.unit_types] == [5, 8]
    assert narrow.rnn.largest.tolist() == [31, 255]


@pytest.mark.parametrize(
    ("types", "bits", "message"),
    [
        ({}, [8, 8, 8], "2 numbers of bits up to the 8"),
        ({}, [0, 8], "2 numbers of bits up to the 8"),
        ({}, [8, 9], "2 numbers of bits up to the 8"),
        ({"activation": fixed(8, 2)}, [8, 8], "unsigned activation that saturates"),
        ({"state": fixed(7, 2, signed=False)}, [7, 7], "a state that is the same"),
        (
            {"activation": fixed(8, 2, signed=False, overflow="WRAP")},
            [8, 8],
            "unsigned activation that saturates",
        ),
    ],
)
def test_bits_of_units_need_one_unsigned_type_that_saturates(types, bits, message):
    with pytest.raises(ValueError, match=message):
        random_network(units=2, length=3, unit_bits=bits, **types)


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
        read(IntegerNetwork, path)
    assert str(path) in str(caught.value)


def test_layers_must_be_a_recurrent_one_then_dense_ones(tmp_path):
    tree = NETWORK.model_dump()
    path = tmp_path / "integer.json"
    write_json(path, {**tree, "layers": tree["layers"][::-1]})
    with pytest.raises(ArtifactError, match="one simple_rnn, lstm or gru followed by dense"):
        read(IntegerNetwork, path)
    write_json(path, {**tree, "layers": tree["layers"][:1]})
    with pytest.raises(ArtifactError, match="one output, found 2"):
        read(IntegerNetwork, path)


@pytest.mark.parametrize(
    ("signed", "bits", "limits"),
    [(True, 8, (-128, 127)), (False, 8, (0, 255)), (True, 1, (-1, 0)), (False, 1, (0, 1))],
)
def test_limits_of_a_type(signed, bits, limits):
    of = FixedPointType(signed=signed, bits=bits, fraction_bits=3)
    assert (of.minimum, of.maximum) == limits
    assert of.step == 0.125


def test_accessors():
    assert NETWORK.exact
    assert NETWORK.rnn is NETWORK.recurrent
    assert (NETWORK.rnn.name, NETWORK.rnn.units) == ("rnn", 2)
    assert [layer.name for layer in NETWORK.dense] == ["dense0"]
    assert NETWORK.output == NETWORK.dense[-1].activation
    assert fixed(8, 2)["fraction_bits"] == 6
    with pytest.raises(PipelineError, match="expected lstm or gru, found simple_rnn"):
        _ = NETWORK.gated


@pytest.mark.parametrize("kind", GATES)
def test_where_only_integers_will_do_a_gated_network_is_refused(kind):
    network = random_gated_network(kind)
    assert not network.exact
    assert network.gated is network.recurrent
    assert (network.gated.kind, network.gated.units) == (kind, 3)
    assert network.output == network.dense[-1].activation
    refusal = rf"layers\.0\.kind: expected simple_rnn, found {kind}: .*no exact integer model"
    windows = np.zeros((0, network.window_length), np.float32)
    for evaluate in (golden.evaluate, golden.evaluate_tensors):
        with pytest.raises(PipelineError, match=refusal):
            evaluate(network, windows)
    with pytest.raises(PipelineError, match=refusal):
        golden.evaluate_integers(network, windows.astype(np.int64))


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize(
    ("tensor", "integers", "message"),
    [
        ("kernel", [[1, 2]], r"kernel must have shape \(1, \d+\), found \(1, 2\)"),
        ("kernel", [1, 2], "must have two axes"),
        ("recurrent_kernel", [[1, 2, 3]], "must have shape"),
        ("bias", [[1, 2]], r"bias must have shape .*, found \(1, 2\)"),
    ],
)
def test_shapes_of_a_gated_layer_are_checked(tmp_path, kind, tensor, integers, message):
    tree = random_gated_network(kind).model_dump()
    tree["layers"][0][tensor]["integers"] = integers
    path = tmp_path / "integer.json"
    write_json(path, tree)
    with pytest.raises(ArtifactError, match=message) as caught:
        read(IntegerNetwork, path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("layers", [[0], [1, 0], [0, 0, 1], []])
def test_layers_must_be_a_gated_one_then_dense_ones(tmp_path, layers):
    tree = random_gated_network("gru").model_dump()
    tree["layers"] = [tree["layers"][index] for index in layers]
    path = tmp_path / "integer.json"
    write_json(path, tree)
    with pytest.raises(ArtifactError, match="layers"):
        read(IntegerNetwork, path)


def test_surplus_keys_and_unknown_kinds_are_refused(tmp_path):
    path = tmp_path / "integer.json"
    tree = random_gated_network("gru").model_dump()
    write_json(path, {**tree, "surplus": 1})
    with pytest.raises(ArtifactError, match="surplus"):
        read(IntegerNetwork, path)
    tree["layers"][0]["kind"] = "bidirectional"
    write_json(path, tree)
    with pytest.raises(ArtifactError, match=r"layers\.0"):
        read(IntegerNetwork, path)
