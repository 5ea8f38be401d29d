"""The report of one core: many cores, the budget, what is absent."""

from dataclasses import replace

from pipeline.firmware.rtl.project import RtlDesign
from pipeline.firmware.synthesis.implementation import Implemented
from pipeline.firmware.synthesis.nextpnr import Routed
from pipeline.firmware.vendors.tools import VendorRun
from pipeline.reports.area_plot import area_figure
from pipeline.reports.implementation import markdown

DESIGN = RtlDesign("cell_rnn", 12, 2.0, 5, 12, 12, 18, 19, 700)
RESOURCES = {"lut": 4565, "ff": 3570, "carry": 1427, "dsp": 0, "bram": 0}


def test_the_report_multiplies_cores_and_says_what_is_absent():
    one = Implemented("xcup", "AMD UltraScale+", "Yosys 0.70", RESOURCES, 1000, 0)
    finetune = {"energy_nj": 0.074, "validation_rmse_mev": 50.1}
    text = markdown(
        DESIGN, [one], finetune, [VendorRun("Vivado", {}, "Vivado: not on PATH (vivado)")], []
    )
    assert f"| 384 cells | {4565 * 32} | {3570 * 32} |" in text
    assert "| AMD XCVU9P | 12.4 % | 4.8 % | 0.0 % |" in text
    assert "19 cycles (simulated)" in text
    assert "that is 38.0 ns" in text
    assert "no clock was measured" in text
    assert "Vivado: not on PATH" in text
    assert "vendors' tools" not in text
    assert "no LUT drives" not in text
    hidden = {**RESOURCES, "lut_route_through": 41, "inverter_into_carry": 7}
    more = markdown(DESIGN, [replace(one, resources=hidden)], finetune, [], [])
    assert "41 inputs of carry chains in one core that no LUT drives (7 of them" in more
    routed = Routed("nextpnr 1", 147.34, {})
    ecp5 = Implemented("ecp5", "Lattice ECP5", "Yosys", RESOURCES, 1000, 0, routed)
    assert "latency 129 ns, above the budget" in markdown(DESIGN, [one, ecp5], finetune, [], [])
    assert area_figure([one, ecp5]).axes[0].get_ylabel().startswith("cells of one")
