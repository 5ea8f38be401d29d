"""The report of the chosen network beside the float one."""

from pipeline.reports.networks import networks_markdown
from tests.reports.profile_of_one import profile


def test_energy_by_layer_of_both_networks_layers_and_tensors():
    text = networks_markdown(profile())
    assert "| rnn | reference | 10.00 | 20.00 | 30.00 | 40.00 | 60.00 | 80.0 % |" in text
    assert "| rnn | chosen | 4.00 | 8.00 | 12.00 | 16.00 | 24.00 | 80.0 % |" in text
    assert "| dense | chosen | 1.00 | 2.00 | 3.00 | 4.00 | 6.00 | 20.0 % |" in text
    assert "| all | reference | 12.50 | 25.00 | 37.50 | 50.00 | 75.00 | 100.0 % |" in text
    assert "| all | chosen | 5.00 | 10.00 | 15.00 | 20.00 | 30.00 | 100.0 % |" in text
    assert "| rnn/kernel | 1 x 4 | 5 | -0.75 | 0.5 | `quantized_bits(5,0,1,alpha=1)` |" in text
    assert "Float network: 89 parameters" in text
    assert "Chosen network: 29 parameters" in text
