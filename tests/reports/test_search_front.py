"""The front of a search as a table and as columns; bits as the search reads them."""

import pytest
import yaml

from pipeline.quantizers.quantizer import parse_quantizer
from pipeline.reports.search_front import bits, front_columns, front_markdown, pareto_table
from tests.imports import ROOT
from tests.reports.search_of_four import FRONT, search


def test_the_front_is_a_table_from_the_cheapest_on():
    assert front_markdown(search()) == (
        "# Front of the search: energy of one inference against RMSE\n\n" + FRONT
    )


def test_its_columns_keep_all_digits():
    columns = front_columns(search())
    assert columns["trial"] == ["02", "01"]
    assert columns["energy_pj"] == [0.0405 * 1000.0, 0.05769 * 1000.0]
    assert columns["weight_bits"] == [332, 469]
    assert columns["rnn_kernel_bits"] == [1, 1]


def test_all_trials_and_uniform_networks_are_columns():
    table = pareto_table(search())
    assert list(table) == [
        "trial", "units", "energy_nj", "weight_bits", "validation_rmse_mev", "quality", "score",
        "on_front", "chosen", "uniform", "float_rmse_mev", "ofmax_rmse_mev",
    ]  # fmt: skip
    assert table["trial"] == ["00", "01", "02", "uniform_8"]
    assert table["on_front"] == [0, 1, 1, 0]
    assert table["chosen"] == [0, 1, 0, 0]
    assert table["uniform"] == [0, 0, 0, 1]
    assert table["float_rmse_mev"] == [48.4] * 4
    assert table["ofmax_rmse_mev"] == [58.3] * 4


def quantizers() -> list[str]:
    search_params = yaml.safe_load((ROOT / "params.yaml").read_text())["search"]
    kinds = search_params["quantization_config"].values()
    return [search_params["input_quantizer"], *(text for kind in kinds for text in kind)]


@pytest.mark.parametrize(
    "text",
    [
        *quantizers(),
        "binary",
        "stochastic_ternary(alpha=1)",
        "ternary()",
        "quantized_bits",
        "quantized_bits()",
        "quantized_relu(bits=5)",
        "quantized_bits(integer=1, bits=7)",
        "quantized_po2(4)",
    ],
)
def test_bits_are_those_of_the_parser(text):
    assert bits(text) == parse_quantizer(text, "a quantizer").bits
