"""The survey's numbers."""

from pipeline.firmware.survey.metrics import line, survey_metrics
from tests.reports.survey_of_two import CHOSEN, ECP5, WIDE


def test_metrics_by_network():
    found = survey_metrics([CHOSEN, WIDE])
    assert list(found) == ["finetuned", "uniform_16"]
    shares = found["finetuned"].pop("fpga_percent")
    assert found["finetuned"] == {
        "validation_rmse_mev": 50.17,
        "energy_pj": 44.51,
        "units": 6,
        "weight_bits": 338,
        "float32_exact": 1,
        "stages": 25,
        "latency_cycles": 26,
        "latency_ns": 65.0,
        "core": {"lut": 3212, "ff": 3039, "carry": 1178, "dsp": 2, "bram": 0},
        "fpga": {"lut": 102784, "ff": 97248, "carry": 37696, "dsp": 64, "bram": 0},
        "stream": {"windows": 20000, "mismatches": 0, "max_difference_mev": 0.0},
        "netlist": {"windows": 500, "mismatches": 0},
    }
    assert {name: round(share, 1) for name, share in shares.items()} == {
        "lut": 8.7, "ff": 4.1, "dsp": 0.9,
    }  # fmt: skip
    assert found["uniform_16"]["float32_exact"] == 0


def test_a_family_without_a_device_has_no_shares():
    assert survey_metrics([ECP5])["finetuned"]["fpga_percent"] == {}


def test_one_line():
    assert line(CHOSEN) == "finetuned: 50.17 MeV, 44.5 pJ, 3212 LUT, 3039 FF, 26 cycles"
