"""What would fail after hours of training is an error of the plan."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pipeline.base.architecture import Architecture
from pipeline.params import load_params
from pipeline.params.energy import EnergyParams
from pipeline.params.network import MAX_UNITS
from pipeline.quantization.search.plan.plan import plan_search
from pipeline.quantization.search.plan.space import SearchSpaceError, declared_bits
from tests.imports import ROOT
from tests.quantization.search.made_up_search import search_params

PARAMS = load_params(ROOT / "params.yaml")
KERNEL = "quantized_bits(6,0,1,alpha='auto_po2')"
CONFIG = declared_bits(search_params())
WIDE = {"SimpleRNN": 16, "Dense": 16}


def plan(cell: Any = "SimpleRNN", energy: EnergyParams = PARAMS.energy, **changed: Any):
    return plan_search(search_params(**changed), energy, Architecture(cell, 8, 5))


def refused(**changed: Any) -> str:
    with pytest.raises(SearchSpaceError) as caught:
        plan(**changed)
    return str(caught.value)


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_the_defaults_pass_in_a_moment(cell):
    plan_search(PARAMS.search, PARAMS.energy, Architecture(cell, 8, 5))
    start = time.process_time()
    blocks, _ = plan_search(PARAMS.search, PARAMS.energy, Architecture(cell, 8, 5))
    assert time.process_time() - start < 5
    assert blocks[0].combinations >= 24


def test_a_list_that_only_the_uniform_networks_need_is_named():
    """Only the Dense layer is searched; the points have a state all the same."""
    config = {kind: CONFIG[kind] for kind in ("kernel", "bias")}
    config["activation"] = {"quantized_relu(12,0)": 12}
    some = {"quantization_config": config, "limit": {"Dense": 14}, "layer_indexes": [2]}
    plan(**some, uniform_bits=[8])
    config.pop("bias")
    some["limit"] = {"Dense": [8, 14, 12]}
    assert "search.quantization_config.bias: missing" in refused(**some, uniform_bits=[8])


def test_a_gated_point_needs_a_list_of_gates():
    config = {kind: CONFIG[kind] for kind in CONFIG if kind != "recurrent_activation"}
    some = {"quantization_config": config, "limit": {"Dense": 14}, "layer_indexes": [2]}
    plan("LSTM", **some)
    assert refused(cell="LSTM", **some, uniform_bits=[8]) == (
        "search.quantization_config.recurrent_activation: missing or empty, "
        "but search.uniform_bits needs it"
    )


def test_a_point_that_cannot_become_firmware_is_named():
    """The widest activation, which only the points take: the limit leaves it out."""
    config = CONFIG | {"bias": {**CONFIG["bias"], "quantized_bits(16,0,0,alpha='auto')": 16}}
    plan(quantization_config=config)
    message = refused(quantization_config=config, uniform_bits=[4, 8])
    assert message.startswith("search.uniform_bits: 4: rnn/bias: the scale of quantized_bits(16,")


def test_a_point_without_a_price_is_named():
    config = CONFIG | {"bias": {"quantized_relu(1,0)": 1, "binary(alpha=1)": 1}}
    bias = ["binary(alpha=1)"]
    some = {"quantization_config": config}
    some["limit"] = {"SimpleRNN": [8, bias, 10, 12, 12], "Dense": [[KERNEL], bias, 12]}
    plan(**some)
    message = refused(**some, uniform_bits=[4, 8])
    assert message.startswith("search.uniform_bits: 4: no price: rnn/bias: 'quantized_relu(1,0)': ")


@pytest.mark.parametrize("kind", ["kernel", "recurrent_kernel", "bias"])
def test_a_quantizer_without_a_price_is_named_with_its_list(kind):
    """A gate, which QTools would charge as a multiplier."""
    config = CONFIG | {kind: {**CONFIG[kind], "quantized_relu(1,0)": 1}}
    message = refused(quantization_config=config)
    assert message.startswith(
        f"search.quantization_config.{kind}: 'quantized_relu(1,0)': with one bit QTools knows "
    )


def test_an_input_without_a_price_is_named():
    message = refused(input_quantizer="quantized_relu(1,0)")
    assert message.startswith("search.input_quantizer: 'quantized_relu(1,0)': with one bit ")


@pytest.mark.parametrize("blocks", [["rnn", "dense"], ["dense", "rnn"]])
def test_a_product_with_a_tensor_that_is_still_float_needs_a_price(blocks):
    """A one-bit activation makes the float Dense layer one of and gates, with float results."""
    energy = PARAMS.energy.model_copy(update={"reference_accumulator": "fp32"})
    gate = {"quantized_relu(10,0)": 10, "quantized_relu(1,1)": 1, "quantized_relu(12,0)": 12}
    some: dict[str, Any] = {
        "blocks": blocks,
        "quantization_config": CONFIG | {"activation": gate},
        "limit": {"SimpleRNN": [8, 14, 10, 12, 12], "Dense": [[KERNEL], 14, 12]},
    }
    plan(**some)  # with integer results in the reference
    if blocks[0] == "dense":
        plan(energy=energy, **some)  # is quantized before the activation is chosen
        return
    message = refused(energy=energy, **some)
    assert message.startswith(
        "search.quantization_config: rnn_activation_quantizer: quantized_relu(1,1): no price: "
    )
    assert "energy.reference_accumulator" in message


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        (0.1, "0.1: expected 1 to 512 units, found 0.8 (0.1 times train.units: 8)"),
        (64.2, "64.2: expected 1 to 512 units, found 513.6 (64.2 times train.units: 8)"),
        (512.0, "512: expected 1 to 512 units, found 4096 (512 times train.units: 8)"),
    ],
)
def test_a_factor_that_gives_no_network_is_refused_where_widths_are_searched(factor, message):
    widths = {"filter_range": [1.0, factor]}
    assert refused(tune_filters="layer", **widths) == f"search.filter_range: {message}"
    plan(tune_filters="none", **widths)
    plan(tune_filters="layer", tune_filters_exceptions="rnn", **widths)


def test_the_ends_of_the_range_are_networks():
    blocks, _ = plan(tune_filters="block", filter_range=[1 / 8, MAX_UNITS / 8])
    assert blocks[0].filters


@pytest.mark.parametrize("text", ["quantized_po2(8,2)", "quantized_po2(8)", "quantized_po2(5,4)"])
@pytest.mark.parametrize("kind", ["kernel", "recurrent_kernel", "bias"])
def test_powers_of_two_are_counted_down_to_the_smallest_that_is_not_0(text, kind):
    """Their sums fit beside inputs of 11 bits, and not beside the widest states."""
    bits = int(text.split("(")[1].split(",")[0].rstrip(")"))
    config = CONFIG | {kind: {**CONFIG[kind], text: bits}}
    plan(quantization_config=config, limit=WIDE)
    config |= {"state": {"quantized_relu(24,0)": 24}}
    limit = {"SimpleRNN": [16, 16, 16, 16, 24], "Dense": 16}
    if kind == "recurrent_kernel" and bits == 8:
        message = refused(quantization_config=config, limit=limit)
        assert message.startswith("search.quantization_config: rnn: a sum may need 5")
        assert text in message
    else:
        plan(quantization_config=config, limit=limit)


def test_small_powers_of_two_pass():
    config = CONFIG | {"kernel": {"quantized_po2(4,4)": 4, "quantized_po2(6,4)": 6}}
    plan(quantization_config=config, limit=WIDE)


def test_faults_of_all_parts_of_the_plan_are_told_at_once():
    config = CONFIG | {"bias": {"quantized_bits(14,0,0,alpha='auto')": 14}}
    lines = refused(
        quantization_config=config,
        limit=WIDE,
        blocks=["rnn", "hidden"],
        tune_filters="layer",
        filter_range=[0.01, 100.0],
        uniform_bits=[4],
    ).splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "search.blocks",
        "search.filter_range",
        "search.filter_range",
        "rnn/bias",
        "dense/bias",
        "search.uniform_bits",
    ]
