"""`energy.source_quantizer` prices the samples of a trial; nothing else changes."""

import pytest

from pipeline.base.architecture import Architecture
from pipeline.quantization.energy.description import EnergyError, float_network
from pipeline.quantization.energy.network import network_cost
from tests.quantization.energy_settings import settings
from tests.quantization.quantizer_sets import quantizer_set

NETWORK = float_network(Architecture("SimpleRNN", 8, 5)).with_quantizers(
    {tensor: quantizer.text for tensor, quantizer in quantizer_set("auto_po2").items()}
)


def test_a_source_quantizer_is_as_good_as_an_applied_one():
    applied = NETWORK.with_quantizers({"input": "quantized_bits(6,0,1,alpha=1)"})
    priced = settings(source_quantizer="quantized_bits(6,0,1,alpha=1)")
    assert network_cost(NETWORK, priced) == network_cost(applied, settings())
    assert network_cost(NETWORK, priced) != network_cost(NETWORK, settings())


@pytest.mark.parametrize("source", ["fp32", "fp16", "int8", "int16", "int32"])
def test_the_reference_and_later_layers_stay(source):
    priced = settings(source_quantizer=source)
    assert network_cost(NETWORK, priced, "reference") == network_cost(
        NETWORK, settings(), "reference"
    )
    ours, plain = network_cost(NETWORK, priced), network_cost(NETWORK, settings())
    assert ours.layers[0].parameters == plain.layers[0].parameters
    assert ours.layers[1] == plain.layers[1]
    assert ours.input_bits == 5 * int(source.strip("fpint"))


@pytest.mark.parametrize(
    "text", ["int7", "quantized_bits(", "top;exec", "quantized_bits(4,0,1,alpha='auto')"]
)
def test_what_is_no_source_quantizer_is_named(text):
    with pytest.raises(EnergyError, match=r"energy\.source_quantizer"):
        network_cost(NETWORK, settings(source_quantizer=text))
