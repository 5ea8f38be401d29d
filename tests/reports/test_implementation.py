"""The report of one core: many cores, the budget, no RTL."""

from pipeline.artifacts.finetune import FinetuneFigures
from pipeline.artifacts.implementation import Implementation, Implemented, Routed
from pipeline.reports.area_plot import area_figure
from pipeline.reports.implementation import implementation_markdown
from tests.firmware.sections import rtl_design

RESOURCES = {"lut": 4565, "ff": 3570, "carry": 1427, "dsp": 0, "bram": 0}
FINETUNE = FinetuneFigures(energy_nj=0.074, validation_rmse_mev=50.1, weight_bits=40.0, bits={})
XCUP = Implemented(
    name="xcup",
    title="AMD UltraScale+",
    tool="Yosys 0.70",
    resources=RESOURCES,
    n_windows=1000,
    mismatches=0,
)
ECP5 = XCUP.model_copy(
    update={
        "name": "ecp5",
        "title": "Lattice ECP5",
        "routed": Routed(device="an ECP5", version="nextpnr 1", fmax_mhz=147.34, used={}),
    }
)


def report(*families: Implemented) -> str:
    return implementation_markdown(
        Implementation(design=rtl_design(), families=list(families)), FINETUNE
    )


def test_cores_are_multiplied_and_compared_with_the_budget():
    text = report(XCUP)
    assert "| family | tool | | LUT | FF | carry | DSP | BRAM | netlist windows |" in text
    assert "| one core | 4565 | 3570 | 1427 | 0 | 0 | 1000 | 0 |\n" in text
    assert f"| 384 cells | {4565 * 32} | {3570 * 32} | {1427 * 32} | 0 | 0 | |  |\n" in text
    assert "| AMD XCVU9P | 12.4 % | 4.8 % | 0.0 % |" in text
    assert "19 cycles (simulated)" in text
    assert "that is 38.0 ns" in text
    assert "QTools' model: 74.0 pJ; validation RMSE: 50.10 MeV." in text
    assert "no clock was measured" in text
    assert "no LUT drives" not in text


def test_luts_that_place_and_route_adds_are_named():
    hidden = {**RESOURCES, "lut_route_through": 41, "inverter_into_carry": 7}
    text = report(XCUP.model_copy(update={"resources": hidden}))
    assert "41 inputs of carry chains in one core that no LUT drives (7 of them" in text


def test_a_routed_family_has_a_clock():
    text = report(XCUP, ECP5)
    assert "Lattice ECP5 (an ECP5), nextpnr 1: 147.3 MHz after place and route; " in text
    assert "latency 129 ns, above the budget of 125 ns; that clock serves 3 cells" in text
    assert area_figure([XCUP, ECP5]).axes[0].get_ylabel().startswith("cells of one")


def test_tools_of_one_machine_only_are_not_in_it():
    text = report(XCUP)
    assert "on PATH" not in text
    assert text.endswith("written to `logs/implement.txt`, not here.\n")


def test_without_rtl_the_report_says_why():
    result = Implementation(no_rtl="only tables")
    assert implementation_markdown(result, FINETUNE) == "only tables\n"
