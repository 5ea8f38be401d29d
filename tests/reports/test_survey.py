"""The survey's numbers, columns and tables."""

from dataclasses import replace

from pipeline.firmware.rtl.project import RtlDesign
from pipeline.firmware.survey.subjects import Subject
from pipeline.firmware.survey.survey import Surveyed
from pipeline.firmware.synthesis.implementation import Implemented
from pipeline.integers.compare import Comparison
from pipeline.reports.survey import columns, line, markdown, metrics
from tests.integers.networks import random_network

BITS = {"rnn_kernel": 8, "rnn_recurrent_kernel": 4, "rnn_state": 9, "input": 11}
RESOURCES = {
    "lut": 3212,
    "lut_as_shift_register": 9,
    "ff": 3039,
    "carry": 1178,
    "dsp": 2,
    "bram": 0,
}
CHOSEN = Surveyed(
    Subject("finetuned", "finetuned", random_network(units=6), 44.51, 338, BITS),
    50.17,
    True,
    RtlDesign("cell_rnn", 12, 2.5, 5, 12, 12, 25, 26, 700),
    Comparison("stream", "golden", 20000, 0, 0.0, 0.0, None, None),
    Implemented("xcup", "AMD UltraScale+", "Yosys 0.70", RESOURCES, 500, 0),
)
WIDE = replace(
    CHOSEN,
    subject=Subject("uniform_16", "uniform", random_network(units=8), 256.3, 1406, BITS),
    float32_exact=False,
    core=replace(CHOSEN.core, resources={**RESOURCES, "lut": 17000}),
)
ECP5 = replace(CHOSEN, core=replace(CHOSEN.core, name="ecp5", title="Lattice ECP5"))


def test_metrics_by_network():
    found = metrics([CHOSEN, WIDE])
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


def test_columns_are_of_one_length_and_in_order():
    table = columns([CHOSEN, WIDE])
    assert table["network"] == ["finetuned", "uniform_16"]
    assert table["kind"] == ["finetuned", "uniform"]
    assert table["lut"] == [3212, 17000]
    assert table["validation_rmse_mev"] == [50.17, 50.17]
    assert table["latency_ns"] == [65.0, 65.0]
    assert {len(column) for column in table.values()} == {2}


def test_the_report_has_a_row_for_each_network_in_each_table():
    text = markdown([CHOSEN, WIDE])
    assert (
        "| finetuned | 6 | 8 / 4 / 9 | 338 | 50.17 | 44.5 | 3212 | 3039 | 1178 | 2 | 0 | 25 | 26 "
        "| 65.0 |" in text
    )
    assert "## 384 cells: 32 cores" in text
    assert "| finetuned | 102784 | 97248 | 37696 | 64 | 0 | 8.7 % | 4.1 % | 0.9 % |" in text
    assert "LUT of AMD XCVU9P" in text
    assert "| uniform_16 | 20000 | 0 | 500 | 0 |" in text
    assert "compares none with QKeras" in text
    assert "float32 does not hold every sum of uniform_16:" in text


def test_a_family_without_a_device_has_no_shares():
    assert metrics([ECP5])["finetuned"]["fpga_percent"] == {}
    text = markdown([ECP5])
    assert "| finetuned | 102784 | 97248 | 37696 | 64 | 0 |\n" in text
    assert "float32 holds every sum" in text


def test_one_line():
    assert line(CHOSEN) == "finetuned: 50.17 MeV, 44.5 pJ, 3212 LUT, 3039 FF, 26 cycles"
