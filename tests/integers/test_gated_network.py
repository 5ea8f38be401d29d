"""The hand-over file of an LSTM or a GRU: round trip, and what is inconsistent is refused."""

import pytest

from pipeline.base.files import ArtifactError, write_json
from pipeline.integers.gated import output_type, read_network, write_network
from pipeline.integers.network import read_integer_network
from tests.integers.networks import random_gated_network, random_network

KINDS = ["lstm", "gru"]


@pytest.mark.parametrize("network", [*map(random_gated_network, KINDS), random_network()])
def test_round_trip_and_repeatable_bytes(tmp_path, network):
    path = tmp_path / "integer.json"
    write_network(path, network)
    first = path.read_bytes()
    assert read_network(path) == network
    write_network(path, read_network(path))
    assert path.read_bytes() == first
    assert output_type(network) == network.dense[-1].activation


@pytest.mark.parametrize("kind", KINDS)
def test_where_only_integers_will_do_a_gated_network_is_refused(tmp_path, kind):
    path = tmp_path / "integer.json"
    write_network(path, random_gated_network(kind))
    with pytest.raises(ArtifactError, match=rf"layers\.0\.kind: {kind}: .*no exact integer model"):
        read_integer_network(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("tensor", "integers", "message"),
    [
        ("kernel", [[1, 2]], r"kernel must have shape \(1, \d+\), found \(1, 2\)"),
        ("kernel", [1, 2], "must have two axes"),
        ("recurrent_kernel", [[1, 2, 3]], "must have shape"),
        ("bias", [[1, 2]], r"bias must have shape .*, found \(1, 2\)"),
    ],
)
def test_shapes_are_checked(tmp_path, kind, tensor, integers, message):
    tree = random_gated_network(kind).model_dump()
    tree["layers"][0][tensor]["integers"] = integers
    path = tmp_path / "integer.json"
    write_json(path, tree)
    with pytest.raises(ArtifactError, match=message) as caught:
        read_network(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("layers", [[0], [1, 0], [0, 0, 1], []])
def test_layers_must_be_a_gated_one_then_dense_ones(tmp_path, layers):
    tree = random_gated_network("gru").model_dump()
    tree["layers"] = [tree["layers"][index] for index in layers]
    path = tmp_path / "integer.json"
    write_json(path, tree)
    with pytest.raises(ArtifactError, match="layers"):
        read_network(path)


def test_surplus_keys_and_unknown_kinds_are_refused(tmp_path):
    path = tmp_path / "integer.json"
    tree = random_gated_network("gru").model_dump()
    write_json(path, {**tree, "surplus": 1})
    with pytest.raises(ArtifactError, match="surplus"):
        read_network(path)
    tree["layers"][0]["kind"] = "bidirectional"
    write_json(path, tree)
    with pytest.raises(ArtifactError, match=r"layers\.0"):
        read_network(path)
