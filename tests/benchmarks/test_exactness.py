"""Each network of the exactness benchmark is a search space of one."""

from __future__ import annotations

import pytest

from benchmarks.exactness import NETWORKS, SEARCHES, params_of
from pipeline.base.architecture import Architecture
from pipeline.params import parse_params
from pipeline.quantization.search.plan.plan import plan_search


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_is_the_only_one_in_its_space(network):
    params = parse_params(params_of(network, epochs=5, stream_windows=1000))
    architecture = Architecture(params.train.cell, params.train.units, 5)
    blocks, _ = plan_search(params.search, params.energy, architecture)
    (block,) = blocks
    assert all(len(choice.quantizers) == 1 for choice in block.choices)
    assert params.search.max_trials == 1
    kernel = NETWORKS[network][1]
    (chosen,) = (c for c in block.choices if "rnn/recurrent_kernel" in c.tensors)
    assert list(chosen.quantizers) == [kernel]


@pytest.mark.parametrize("network", SEARCHES)
def test_a_network_that_rounds_half_up_says_so_in_its_quantizers(network):
    params = parse_params(params_of(network, epochs=5, stream_windows=1000))
    architecture = Architecture(params.train.cell, params.train.units, 5)
    (block,) = plan_search(params.search, params.energy, architecture)[0]
    chosen = {t: q for c in block.choices for t in c.tensors for q in c.quantizers.values()}
    values = {"rnn/activation", "rnn/state", "dense/activation"}
    assert {tensor for tensor, quantizer in chosen.items() if quantizer.half_up} == values
    once = chosen["rnn/activation"] == chosen["rnn/state"]
    assert once == SEARCHES[network].get("round_state_once", False)
