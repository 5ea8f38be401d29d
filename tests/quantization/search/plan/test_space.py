"""Limits, groups and errors of the search space; and what stock AutoQKeras makes of them."""

from __future__ import annotations

from typing import Any

import keras_tuner
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture, quantized_tensors
from pipeline.params import load_params
from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.plan import check_space_exportable
from pipeline.quantization.search.plan.space import (
    SearchSpaceError,
    build_search_space,
    left_out,
    network_layers,
)
from pipeline.quantizers import qkeras_compat  # noqa: F401  (before AutoQKeras is imported)

B = "quantized_bits({},0,0,alpha=1)"
R = "quantized_relu({},0)"
CONFIG: dict[str, dict[str, int]] = {
    "kernel": {B.format(4): 4, B.format(8): 8},
    "recurrent_kernel": {B.format(3): 3, B.format(5): 5, B.format(7): 7},
    "bias": {B.format(6): 6, B.format(10): 10},
    "activation": {R.format(6): 6, R.format(9): 9},
    "state": {R.format(5): 5, R.format(11): 11},
    "recurrent_activation": {"quantized_sigmoid(6)": 6, "quantized_sigmoid(9)": 9},
}
LIMIT: dict[str, Any] = {"SimpleRNN": [8, 10, 5, 9, 5], "Dense": [4, 6, 9]}


def search_params(**changed: Any) -> SearchParams:
    changed = {"quantization_config": CONFIG, "limit": LIMIT, "layer_indexes": None, **changed}
    return SearchParams.model_validate({**load_params().search.model_dump(), **changed})


def space(cell: str = "SimpleRNN", **changed: Any) -> dict[str, tuple[tuple[str, ...], list[str]]]:
    choices = build_search_space(search_params(**changed), network_layers(cell))
    return {c.name: (c.tensors, list(c.quantizers)) for c in choices}


def options(cell: str = "SimpleRNN", **changed: Any) -> dict[str, list[str]]:
    """Quantizers by tensor; no tensor may be decided twice."""
    found: dict[str, list[str]] = {}
    for tensors, texts in space(cell, **changed).values():
        for tensor in tensors:
            assert tensor not in found
            found[tensor] = texts
    return found


def test_limits_by_class():
    assert space() == {
        "rnn_kernel_quantizer": (("rnn/kernel",), [B.format(4), B.format(8)]),
        "rnn_bias_quantizer": (("rnn/bias",), [B.format(6), B.format(10)]),
        "rnn_recurrent_kernel_quantizer": (
            ("rnn/recurrent_kernel",), [B.format(3), B.format(5)],
        ),
        "rnn_activation_quantizer": (("rnn/activation",), [R.format(6), R.format(9)]),
        "rnn_state_quantizer": (("rnn/state",), [R.format(5)]),
        "dense_kernel_quantizer": (("dense/kernel",), [B.format(4)]),
        "dense_bias_quantizer": (("dense/bias",), [B.format(6)]),
        "dense_activation_quantizer": (("dense/activation",), [R.format(6), R.format(9)]),
    }  # fmt: skip


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_every_tensor_of_the_network_is_decided_once(cell):
    found = options(cell, limit={"default": 12})
    assert {"input", *found} == set(quantized_tensors(cell))


def test_the_default_parameters_leave_nothing_float():
    params = load_params()
    choices = build_search_space(params.search, network_layers(params.train.cell))
    decided = [tensor for choice in choices for tensor in choice.tensors]
    assert sorted(["input", *decided]) == sorted(quantized_tensors(params.train.cell))
    assert min(len(choice.quantizers) for choice in choices) >= 1


def test_a_name_goes_before_the_class_and_the_class_before_the_default():
    by_name = options(limit={**LIMIT, "dense": 12, "default": 3})
    assert by_name["dense/kernel"] == [B.format(4), B.format(8)]
    assert by_name["rnn/recurrent_kernel"] == [B.format(3), B.format(5)]
    by_default = options(limit={"default": 6, "Dense": LIMIT["Dense"]})
    assert by_default["dense/activation"] == [R.format(6), R.format(9)]
    assert by_default["rnn/activation"] == [R.format(6)]
    assert by_default["rnn/state"] == [R.format(5)]


def test_the_first_of_two_matching_patterns_counts():
    first = options(limit={"dens.": [4, 6, 6], "dense": 12, **LIMIT})
    assert first["dense/kernel"] == [B.format(4)]
    second = options(limit={"dense": 12, "dens.": [4, 6, 6], **LIMIT})
    assert second["dense/kernel"] == [B.format(4), B.format(8)]


def test_layers_of_a_regular_expression_share_their_choices():
    found = space(limit={"rnn|dense": 12})
    assert found["rnn|dense_kernel_quantizer"] == (
        ("rnn/kernel", "dense/kernel"),
        [B.format(4), B.format(8)],
    )
    shared = {name for name, (tensors, _) in found.items() if len(tensors) == 2}
    assert shared == {f"rnn|dense_{kind}_quantizer" for kind in ("kernel", "bias", "activation")}
    assert len(found) == 5


@pytest.mark.parametrize("limit", [{"default": 12}, {"SimpleRNN": 12, "Dense": 12}])
def test_layers_of_a_class_or_the_default_choose_for_themselves(limit):
    found = space(limit=limit)
    assert len(found) == 8
    assert all(len(tensors) == 1 for tensors, _ in found.values())


def test_an_explicit_list_of_quantizers():
    limit = {**LIMIT, "Dense": [[B.format(8)], 6, [R.format(9), R.format(6)]]}
    found = options(limit=limit)
    assert found["dense/kernel"] == [B.format(8)]
    assert found["dense/activation"] == [R.format(9), R.format(6)]


def test_the_recurrent_kernel_draws_from_its_own_list_even_in_a_group():
    for limit in ({"default": 12}, {"rnn": 12, "Dense": 12}, {".*": 12}):
        found = options(limit=limit)
        assert found["rnn/recurrent_kernel"] == list(CONFIG["recurrent_kernel"])
        assert found["rnn/kernel"] == list(CONFIG["kernel"])


def test_stock_draws_the_recurrent_kernel_from_kernel():
    """Upstream's test for "kernel" also catches "recurrent_kernel"."""
    from qkeras.autoqkeras.autoqkeras_internal import AutoQKHyperModel

    stock = AutoQKHyperModel.__new__(AutoQKHyperModel)
    stock.quantization_config = CONFIG
    stock.limit = {"SimpleRNN": [8, 10, 5, 9]}
    stock.groups = {}
    hp = keras_tuner.HyperParameters()
    stock._get_quantizer(hp, "rnn_recurrent_kernel", "rnn", "SimpleRNN", is_kernel=True)
    (drawn,) = hp.space
    assert list(drawn.values) == list(CONFIG["kernel"])
    assert space()["rnn_recurrent_kernel_quantizer"][1] == list(CONFIG["recurrent_kernel"])[:2]


def test_gates_share_the_limit_of_the_activation():
    limit = {"LSTM": [8, 10, 5, 6, 5], "Dense": LIMIT["Dense"]}
    found = options("LSTM", limit=limit)
    assert found["rnn/recurrent_activation"] == ["quantized_sigmoid(6)"]
    assert found["rnn/activation"] == [R.format(6)]


def test_a_sixth_entry_is_for_the_gates():
    gates = next(iter(CONFIG["recurrent_activation"]))
    limit = {"LSTM": [8, 10, 5, 6, 5, [gates]], "Dense": LIMIT["Dense"]}
    found = options("LSTM", limit=limit)
    assert found["rnn/recurrent_activation"] == [gates]
    assert found["rnn/activation"] == [R.format(6)]
    with pytest.raises(SearchSpaceError, match=r"limit\.GRU: expected 5 .* found 7"):
        options("GRU", limit={"GRU": [8] * 7, "Dense": 8})
    with pytest.raises(SearchSpaceError, match=r"limit\.SimpleRNN: expected 5 .* found 6"):
        options(limit={"SimpleRNN": [8] * 6, "Dense": 8})


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_the_default_parameters_lead_to_firmware_for_every_cell(cell):
    params = load_params().search
    choices = build_search_space(params, network_layers(cell))
    check_space_exportable(Architecture(cell, 8, 5), choices, params.input_quantizer)
    kinds = {"SimpleRNN": "quantized_relu", "LSTM": "quantized_tanh", "GRU": "quantized_tanh"}
    activation = next(c for c in choices if "rnn/activation" in c.tensors).quantizers
    assert {quantizer.name for quantizer in activation.values()} == {kinds[cell]}
    state = next(c for c in choices if "rnn/state" in c.tensors).quantizers
    kind = "quantized_relu" if cell == "SimpleRNN" else "quantized_bits"
    assert {quantizer.name for quantizer in state.values()} == {kind}


@pytest.mark.parametrize(("indexes", "layer"), [([1], "rnn"), ([2], "dense")])
def test_layer_indexes_leave_the_other_layer_out(indexes, layer):
    found = options(layer_indexes=indexes)
    assert {tensor.split("/")[0] for tensor in found} == {layer}
    assert options(layer_indexes=[1, 2]) == options(layer_indexes=None)


@pytest.fixture
def stock_decisions(monkeypatch):
    """What AutoQKeras passes on to be quantized, and the hyperparameters it shows."""
    from qkeras.autoqkeras import autoqkeras_internal

    class NoCost:
        def get_reference(self, model):
            return 1

    class ReachedQuantizationError(Exception):
        pass

    def run(layer_indexes):
        model = tf.keras.Sequential(
            [
                tf.keras.layers.SimpleRNN(2, input_shape=(3, 1), name="rnn"),
                tf.keras.layers.Dense(1, name="dense"),
            ]
        )
        config = {**CONFIG, "linear": CONFIG["kernel"]}
        stock = autoqkeras_internal.AutoQKHyperModel(
            model, ["acc"], target=NoCost(), tune_filters_exceptions="", activation_bits=4,
            limit={"SimpleRNN": [8, 10, 8, 9], "Dense": [8, 10, 9]},
            layer_indexes=layer_indexes(model), quantization_config=config,
        )  # fmt: skip
        asked = []

        def recorded(model, q_dict, *_, **__):
            asked.append(dict(q_dict))
            raise ReachedQuantizationError

        monkeypatch.setattr(autoqkeras_internal, "clone_model", lambda model, _: model)
        monkeypatch.setattr(autoqkeras_internal, "model_quantize", recorded)
        hp = keras_tuner.HyperParameters()
        with pytest.raises(ReachedQuantizationError):
            stock.quantize_model(hp)
        return {name for name in asked[0] if name in ("rnn", "dense")}, len(hp.space)

    return run


def test_stock_example_indexes_quantize_nothing_and_ours_cannot(stock_decisions):
    """``range(1, len(layers) - 1)`` is empty for two layers, yet a search space is shown."""
    quantized, shown = stock_decisions(lambda model: range(1, len(model.layers) - 1))
    assert quantized == set()
    assert shown > 0
    assert stock_decisions(lambda _: None)[0] == {"rnn", "dense"}

    layers = network_layers("SimpleRNN")
    with pytest.raises(SearchSpaceError, match=r"search\.layer_indexes: leaves no layer"):
        build_search_space(search_params(layer_indexes=list(range(1, len(layers) - 1))), layers)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"limit": {"SimpleRNN": 8}}, r"search\.limit: layer dense \(Dense\) would stay float"),
        ({"limit": {"LSTM": 8, "Dense": 8}}, r"search\.limit: layer rnn .* would stay float"),
        ({"limit": {"state": 8}}, r"limit\.state: matches no layer; layers are rnn, dense"),
        ({"limit": {**LIMIT, "Dense": [8, 8]}}, r"limit\.Dense: expected 3 .* for dense, found 2"),
        ({"limit": {**LIMIT, "SimpleRNN": [8, 8, 8]}}, r"limit\.SimpleRNN: expected 5 .* found 3"),
        ({"limit": {"rnn|dense": [8, 8, 8]}}, r"limit\.rnn\|dense: expected 5 .* for rnn"),
        ({"limit": {**LIMIT, "Dense": [3, 6, 9]}}, r"Dense: kernel: no quantizer .* 3 bits or few"),
        ({"limit": {**LIMIT, "Dense": [8, 8, [R.format(7)]]}},
         r"limit\.Dense: activation: 'quantized_relu\(7,0\)' is not in search\.quanti"),
        ({"limit": {**LIMIT, "Dense": [8, 8, []]}}, r"limit\.Dense: activation: the list .* empty"),
        ({"limit": {**LIMIT, "hidden": 8}}, r"limit\.hidden: matches no layer; layers are rnn, "),
        ({"limit": {**LIMIT, "(": 8}}, r"search\.limit\.\(: not a regular expression"),
        ({"layer_indexes": [0]}, r"layer_indexes: no quantizable layer has index 0.*\[1, 2\]"),
        ({"layer_indexes": [1, 3]}, r"layer_indexes: no quantizable layer has index 3"),
        ({"quantization_config": {**CONFIG, "state": {}}},
         r"search\.quantization_config\.state: missing or empty"),
        ({"quantization_config": {k: v for k, v in CONFIG.items() if k != "recurrent_kernel"}},
         r"search\.quantization_config\.recurrent_kernel: missing or empty"),
        ({"quantization_config": {**CONFIG, "kernels": {}}},
         r"search\.quantization_config\.kernels: unknown kind of tensor; expected .*kernel, bias"),
        ({"quantization_config": {**CONFIG, "bias": {"quantized_bits(9,0,0,alpha=1)": 8}}},
         r"search\.quantization_config\.bias: quantized_bits\(9,0,0,alpha=1\): expected 9 bits, "
         r"found 8"),
        ({"quantization_config": {**CONFIG, "bias": {}}},
         r"search\.quantization_config\.bias: missing or empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(changed, message):
    with pytest.raises(SearchSpaceError, match=message) as caught:
        space(**changed)
    assert "\n" not in str(caught.value)


def test_all_faults_of_a_section_are_told_at_once():
    config = {**CONFIG, "kernels": [], "bias": {"quantized_bits(9,0,0,alpha=1)": 8}}
    limit = {"SimpleRNN": [8, 8], "(": 8, "hidden": 8}
    with pytest.raises(SearchSpaceError) as caught:
        space(quantization_config=config, limit=limit, layer_indexes=[1, 7])
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == [
        "search.quantization_config.bias",
        "search.quantization_config.kernels",
        "search.limit.(",
        "search.limit.hidden",
        "search.layer_indexes",
    ]
    with pytest.raises(SearchSpaceError) as caught:
        space(limit={"SimpleRNN": [2, 10, 2, 9, 5], "Dense": [4, 2]})
    assert [line.split(": ")[:2] for line in str(caught.value).splitlines()] == [
        ["search.limit.SimpleRNN", "kernel"],
        ["search.limit.SimpleRNN", "recurrent_kernel"],
        ["search.limit.Dense", "expected 3 entries (kernel, bias, activation) for dense, found 2"],
    ]
    with pytest.raises(SearchSpaceError) as caught:
        space(limit={})
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    "extra",
    [
        {"BatchNormalization": []},
        {"Activation": [12], "Conv2D": [8, 8, 4]},
        {"^conv2d_0$": [8, 8, 4]},
        {"conv2d.*": 4, "(conv1d|depthwise_conv2d)_[0-9]+": 4},
        {"^batch_normalization$": [], "^lstm_3$": [4, 4, 4, 4]},
    ],
)
def test_what_only_other_networks_have_is_left_out_of_limit(extra):
    limit = extra | LIMIT
    assert space(limit=limit) == space()
    names = [f"search.limit.{pattern}" for pattern in extra]
    assert left_out(search_params(limit=limit), "SimpleRNN") == names


@pytest.mark.parametrize(
    "pattern",
    ["BatchNormalisation", "^con2d_0$", "conv2dx", "^simple_rnn_0$", "^dense_1$", "Conv2DD", "act"],
)
def test_a_typing_error_in_limit_stays_an_error(pattern):
    with pytest.raises(SearchSpaceError, match=r": matches no layer; layers are rnn, dense"):
        space(limit={pattern: 4, **LIMIT})


def test_a_cell_that_is_not_trained_may_have_a_limit():
    params = search_params(limit={"LSTM": 4, "GRU": 4, **LIMIT})
    assert left_out(params, "SimpleRNN") == []


@pytest.mark.parametrize("kind", ["linear", "pointwise_kernel"])
def test_kinds_that_only_other_networks_have_are_left_out(kind):
    config = {kind: {"quantized_bits(4,1)": 4}, **CONFIG}
    assert space(quantization_config=config) == space()
    params = search_params(quantization_config=config)
    assert left_out(params, "SimpleRNN") == [f"search.quantization_config.{kind}"]


@pytest.mark.parametrize("pattern", ["SimpleRNN", "^rnn$", "default"])
def test_a_limit_without_the_state_gives_it_that_of_the_activation(pattern):
    """AutoQKeras' four entries: kernel, bias, recurrent kernel, activation."""
    found = options(limit={pattern: [8, 10, 5, 6], "Dense": LIMIT["Dense"]})
    assert found["rnn/activation"] == [R.format(6)]
    assert found["rnn/state"] == [R.format(5)]
    assert found["rnn/recurrent_kernel"] == [B.format(3), B.format(5)]


def test_a_state_without_a_list_of_its_own_has_that_of_the_activation():
    config = {kind: entries for kind, entries in CONFIG.items() if kind != "state"}
    for limit, most in (([8, 10, 5, 9], 9), ([8, 10, 5, 9, 6], 6)):
        found = options(
            quantization_config=config, limit={"SimpleRNN": limit, "Dense": LIMIT["Dense"]}
        )
        assert found["rnn/activation"] == [R.format(6), R.format(9)]
        assert found["rnn/state"] == [R.format(bits) for bits in (6, 9) if bits <= most]


def test_quantizers_of_the_activation_are_those_of_a_state_without_an_entry():
    limit = {"SimpleRNN": [8, 10, 5, [R.format(9)]], "Dense": LIMIT["Dense"]}
    for config in (CONFIG, {k: v for k, v in CONFIG.items() if k != "state"}):
        found = options(quantization_config=config, limit=limit)
        assert found["rnn/state"] == found["rnn/activation"] == [R.format(9)]


def test_a_gated_state_needs_a_list_of_its_own():
    config = {kind: entries for kind, entries in CONFIG.items() if kind != "state"}
    with pytest.raises(SearchSpaceError, match=r"quantization_config\.state: missing or empty"):
        space("LSTM", quantization_config=config, limit={"LSTM": [8, 10, 5, 9], "Dense": 10})
    assert options("LSTM", limit={"LSTM": [8, 10, 5, 9], "Dense": 10})["rnn/state"] == [R.format(5)]


@pytest.mark.parametrize("pattern", ["^(rnn|dense)$", ".*", "default"])
@pytest.mark.parametrize("entries", [[8, 6, 5, 9, 5], [8, 6, 5, [R.format(9)]]])
def test_a_list_works_for_a_group_of_recurrent_and_dense(pattern, entries):
    """In the order of the recurrent layer, of which Dense takes what it has."""
    found = space(limit={pattern: entries})
    by_tensor = {tensor: texts for tensors, texts in found.values() for tensor in tensors}
    assert len(by_tensor) == 8
    for kind in ("kernel", "bias", "activation"):
        assert by_tensor[f"rnn/{kind}"] == by_tensor[f"dense/{kind}"]
        together = pattern != "default"
        assert (f"{pattern}_{kind}_quantizer" in found) == together
    assert by_tensor["dense/bias"] == [B.format(6)]
    assert by_tensor["rnn/recurrent_kernel"] == [B.format(3), B.format(5)]


def test_a_list_of_a_pattern_on_dense_alone_is_that_of_dense():
    with pytest.raises(SearchSpaceError, match=r"limit\.dense: expected 3 .* for dense, found 5"):
        space(limit={"SimpleRNN": 12, "dense": [8, 6, 5, 9, 5]})
