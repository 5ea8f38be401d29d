"""Where tensors live, and how energy grows with widths."""

from itertools import pairwise
from math import ceil, log2
from typing import Any

import pytest

from pipeline.base.architecture import Architecture
from pipeline.params.energy import EnergyParams
from pipeline.quantization.energy.description import NetworkDescription, float_network
from pipeline.quantization.energy.network import network_cost
from tests.quantization.energy_settings import settings

NETWORK = float_network(Architecture("SimpleRNN", 8, 5))


def sram(bits: int, smallest: int = 0) -> float:
    x = log2(max(bits, smallest))
    return ceil(bits / 64) * (9.02427321e-04 * x**3 - 2.68847858e-02 * x**2 + 2.08900804e-01 * x)


def dram(bits: int) -> float:
    return 20.3125 * bits


def reference(**changes: Any) -> Any:
    fp32 = {"reference_internal": "fp32", "reference_accumulator": "fp32"}
    return network_cost(NETWORK, settings(**fp32 | changes), "reference").layers


def test_wired_weights_are_free() -> None:
    rnn, dense = reference(parameters_on_memory=["fixed", "dram"])
    assert rnn.parameters == 0
    assert dense.parameters == 0
    assert rnn.inputs > 0


def test_weights_in_dram() -> None:
    rnn, dense = reference(parameters_on_memory=["dram", "sram"])
    assert rnn.parameters == pytest.approx(dram((8 + 64 + 8) * 32))
    assert dense.parameters == pytest.approx(dram((8 + 1) * 32))


def test_fixed_activations_leave_only_input_and_output() -> None:
    rnn, dense = reference(activations_on_memory=["fixed", "sram"])
    assert rnn.inputs == pytest.approx(sram(160))
    assert rnn.outputs == 0
    assert dense.inputs == 0
    assert dense.outputs == pytest.approx(sram(32))


def test_activations_in_dram() -> None:
    """The network's own input and output stay in SRAM unless `rd_wr_on_io` says DRAM."""
    rnn, dense = reference(activations_on_memory=["dram", "sram"])
    assert rnn.inputs == pytest.approx(sram(160) + 4 * dram(256))
    assert rnn.outputs == pytest.approx(4 * dram(256) + dram(256))
    assert dense.inputs == pytest.approx(dram(256))
    assert dense.outputs == pytest.approx(sram(32))


def test_input_and_output_in_dram_are_cached_in_sram() -> None:
    rnn, dense = reference(rd_wr_on_io=[True, False])
    assert rnn.inputs == pytest.approx(dram(160) + sram(160) + 4 * sram(256))
    assert dense.outputs == pytest.approx(dram(32) + sram(32))


def test_smallest_sram() -> None:
    rnn, _ = reference(min_sram_size_bits=[1024, 0])
    assert rnn.parameters == pytest.approx(2 * sram(256, 1024) + sram(2048))


def test_second_entry_is_for_the_trial() -> None:
    lists = {"parameters_on_memory": ["sram", "fixed"], "min_sram_size_bits": [0, 64]}
    params = settings(**lists)
    assert network_cost(NETWORK, params, "reference").layers[0].parameters > 0
    assert network_cost(NETWORK, params, "trial").layers[0].parameters == 0


def uniform(network: NetworkDescription, bits: int, tensors: tuple[str, ...]) -> NetworkDescription:
    """Quantize the tensors of these names in `bits` bits, every other one in 8."""
    return network.with_quantizers(
        {
            key: f"quantized_bits({bits if key.split('/')[-1] in tensors else 8},0,1,alpha=1)"
            for key in network.quantizers
        }
    )


WEIGHTS = ("kernel", "recurrent_kernel", "bias")


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize(
    "tensors",
    [WEIGHTS, ("state",), ("activation",), ("recurrent_activation",), ("input",), ("kernel",)],
)
def test_operations_never_get_cheaper_with_more_bits(cell: Any, tensors: tuple[str, ...]) -> None:
    network = float_network(Architecture(cell, 8, 5))
    costs = [
        sum(layer.op_cost for layer in network_cost(uniform(network, b, tensors), params).layers)
        for params in [settings()]
        for b in range(2, 17)
    ]
    assert all(fewer <= more for fewer, more in pairwise(costs))


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
def test_total_grows_with_the_width_of_the_network(cell: Any) -> None:
    network = float_network(Architecture(cell, 8, 5))
    tensors = (*WEIGHTS, "state", "activation", "recurrent_activation", "input")
    costs = [
        network_cost(uniform(network, bits, tensors), settings()).total for bits in range(2, 17)
    ]
    assert all(fewer < more for fewer, more in pairwise(costs))


def bias_costs(params: EnergyParams) -> list[float]:
    return [
        network_cost(uniform(NETWORK, bits, ("bias",)), params).layer("rnn").parameters
        for bits in (5, 8)
    ]


def test_qtools_sram_table_dips() -> None:
    """QTools' SRAM polynomial falls between 2^5.3 and 2^14.6 bits.

    Within one 64-bit word a larger tensor is a little cheaper: a bias of eight
    5-bit values against 8-bit ones, by 0.006 pJ. A smallest SRAM above all
    tensors' sizes takes the dip away.
    """
    narrow, wide = bias_costs(settings())
    assert narrow - wide == pytest.approx(sram(40) - sram(64))
    assert 0.005 < narrow - wide < 0.007
    narrow, wide = bias_costs(settings(min_sram_size_bits=[0, 4096]))
    assert narrow == wide
