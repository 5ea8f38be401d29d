"""RTL equals the golden model; faults are caught; bad input is refused."""

import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from pipeline.artifacts.design import DESIGN, RtlDesign
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.base.schema import read
from pipeline.firmware.event_simulation.icarus_ghdl import WrittenNetwork, check_event_simulators
from pipeline.firmware.rtl import simulation as rtl_simulation
from pipeline.firmware.rtl.project import verilog_files, write_rtl
from pipeline.firmware.rtl.shift_adds import RtlError, adder_graph
from pipeline.firmware.rtl.simulation import RtlMismatchError, check_network, rtl_metrics
from pipeline.firmware.rtl.verilator import Harness, SimulationError, compiled, require_verilator
from pipeline.integers import golden
from pipeline.integers.compare import MismatchError
from pipeline.integers.fixed_point import quantize
from pipeline.integers.network import IntegerNetwork
from tests.firmware.compiled_once import compiling_once
from tests.firmware.sections import rtl_params
from tests.integers.networks import fixed, random_network, random_windows

PARAMS = rtl_params()
SMALL = random_network(5, 3, 3, state=fixed(6, 2, signed=False))

NETWORKS = {
    "4 bits": random_network(
        1, weight=fixed(4, 1), activation=fixed(4, 2, signed=False), sample=fixed(6, 3)
    ),
    "12 bits": random_network(2, 4, weight=fixed(12, 1), activation=fixed(12, 2, signed=False)),
    "16 units": random_network(2, 16, 3, weight=fixed(5, 1)),
    "powers of two": random_network(
        3, 3, weight=fixed(3, 0), recurrent=fixed(24, 1), activation=fixed(10, 2, signed=False)
    ),
    "signed, own state, two dense": random_network(
        4,
        4,
        hidden_dense=2,
        sample=fixed(6, 8),
        state=fixed(6, 2),
        activation=fixed(8, 8),
        output=fixed(10, 6, rounding="RND"),
    ),
    "TRN and WRAP": random_network(
        6, 3, 3, activation=fixed(8, 1, signed=False, rounding="TRN", overflow="WRAP")
    ),
    "one sample": random_network(7, 2, 1),
}


def integers_of(network: IntegerNetwork, n: int) -> np.ndarray:
    return quantize(random_windows(network, n), network.input)


def changed(network: IntegerNetwork, change) -> IntegerNetwork:
    tree = network.model_dump()
    change(tree["layers"])
    return IntegerNetwork.model_validate(tree)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_of_shifts_and_adds_equals_the_golden_model(name):
    """da4ml's own evaluation, before any text is written."""
    network = NETWORKS[name]
    integers = integers_of(network, 3000)
    expected = golden.evaluate_integers(network, integers)
    found = adder_graph(network, 2).logic.predict(integers.astype(np.float64))
    assert np.array_equal(found[:, 0], expected)
    assert len(set(expected.tolist())) > 5


@pytest.mark.parametrize("rounding", ["TRN", "RND", "RND_CONV"])
@pytest.mark.parametrize("signed", [False, True])
def test_every_value_of_a_rounding(rounding, signed):
    """One weight, no step: each of the 4096 samples, ties and both ends among them."""
    of = fixed(6, 2, signed=signed, rounding=rounding)
    network = random_network(3, 1, 1, weight=fixed(6, 1), activation=of)
    integers = np.arange(network.input.minimum, network.input.maximum + 1)[:, None]
    found = adder_graph(network, 1).logic.predict(integers.astype(np.float64))
    assert np.array_equal(found[:, 0], golden.evaluate_integers(network, integers))


@pytest.fixture(autouse=True, scope="module")
def _compiled_once():
    with compiling_once():
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("rtl")
    return directory, write_rtl(SMALL, PARAMS, directory)


def test_the_simulated_network_equals_the_golden_model(written):
    directory, design = written
    integers = integers_of(SMALL, 5000)
    simulated = check_network(SMALL, design, verilog_files(directory, False), integers)
    comparison, latency, interval = simulated
    assert comparison.metrics() == {"windows": 5000, "mismatches": 0, "max_difference_mev": 0.0}
    assert latency == design.latency_cycles == design.stages + 1
    assert interval == 1
    metrics = rtl_metrics(design, simulated, replace(comparison, found="stream"))
    assert metrics == {
        "rtl": comparison.metrics(),
        "stream": comparison.metrics(),
        "adder_operations": design.adder_operations,
        "initiation_interval": 1,
        "latency_cycles": latency,
        "latency_ns": 2.0 * latency,
        "stages": design.stages,
    }
    assert read(RtlDesign, directory / DESIGN) == design


@pytest.mark.slow
def test_a_signed_output_narrower_than_its_type(tmp_path):
    """What da4ml trims from the output is put back: sign, and zeros at the end."""
    network = random_network(
        9, 2, 2, weight=fixed(3, 1), output=fixed(16, 8), activation=fixed(5, 3), bias=fixed(3, 3)
    )
    design = write_rtl(network, PARAMS, tmp_path / "r")
    files = verilog_files(tmp_path / "r", False)
    assert check_network(network, design, files, integers_of(network, 500))[0].mismatches == 0


def flip_a_weight(layers) -> None:
    layers[0]["recurrent_kernel"]["integers"][1][2] ^= 1


def round_half_up(layers) -> None:
    layers[0]["activation"]["rounding"] = "RND"


@pytest.mark.parametrize(
    "fault", [flip_a_weight, pytest.param(round_half_up, marks=pytest.mark.slow)]
)
def test_a_fault_is_caught_and_names_the_first_window(fault, tmp_path):
    """The RTL of a network with one fault, against the golden model of the right one."""
    network, integers = SMALL, integers_of(SMALL, 2000)
    faulty = changed(network, fault)
    design = write_rtl(faulty, PARAMS, tmp_path / "r")
    expected = golden.evaluate_integers(network, integers)
    window = int(np.flatnonzero(expected != golden.evaluate_integers(faulty, integers))[0])
    with pytest.raises(
        MismatchError, match=rf"rtl differs from golden in \d+ of 2000 .* in window {window}:"
    ):
        check_network(network, design, verilog_files(tmp_path / "r", False), integers)


@pytest.mark.slow
def test_a_core_that_takes_a_window_every_second_clock_only_is_caught(written, tmp_path):
    """Its latency is right; what enters between is lost, which is no initiation interval of 1."""
    directory, design = written
    files = verilog_files(directory, stream=False)
    (top,) = [path for path in files if path.name == "cell_rnn.v"]
    text = top.read_text()
    assert text.count(".model_inp(window)") == 1
    slow = f"""
    reg turn = 0;
    reg [{design.window_length * design.sample_bits - 1}:0] kept;
    wire [{design.window_length * design.sample_bits - 1}:0] taken = turn ? window : kept;
    always @(posedge clk) begin turn <= !turn; kept <= taken; end
"""
    text = text.replace(".model_inp(window)", ".model_inp(taken)")
    text = text.replace("    cell_rnn_core", f"{slow}    cell_rnn_core")
    (tmp_path / "cell_rnn.v").write_text(text)
    others = [path for path in files if path != top]
    with pytest.raises((MismatchError, RtlMismatchError), match=r"differs from golden|comes after"):
        check_network(SMALL, design, [*others, tmp_path / "cell_rnn.v"], integers_of(SMALL, 200))


def test_a_wrong_latency_is_caught(written):
    directory, design = written
    wrong = design.model_copy(update={"latency_cycles": design.latency_cycles + 1})
    with pytest.raises(RtlMismatchError, match=r"comes after \d+ clocks, expected"):
        check_network(SMALL, wrong, verilog_files(directory, False), integers_of(SMALL, 50))


def test_the_same_network_gives_the_same_bytes(written, tmp_path):
    directory, _ = written
    write_rtl(SMALL, PARAMS, tmp_path / "again")
    for path in directory.rglob("*"):
        if path.is_file():
            other = tmp_path / "again" / path.relative_to(directory)
            assert path.read_bytes() == other.read_bytes()
            assert str(directory) not in path.read_text()


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus is not installed")
def test_icarus_agrees(written):
    directory, design = written
    rtl = WrittenNetwork(SMALL, design, directory)
    lines = check_event_simulators(rtl, integers_of(SMALL, 50))
    assert lines[0] == "icarus: 50 windows, 0 mismatches"


@pytest.mark.skipif(shutil.which("ghdl") is None, reason="GHDL is not installed")
def test_ghdl_agrees(written):
    directory, design = written
    rtl = WrittenNetwork(SMALL, design, directory)
    lines = check_event_simulators(rtl, integers_of(SMALL, 50))
    assert lines[1] == "ghdl: 50 windows, 0 mismatches"


def test_absent_simulators_are_reported(written, monkeypatch, tmp_path):
    directory, design = written
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = check_event_simulators(WrittenNetwork(SMALL, design, directory), integers_of(SMALL, 5))
    assert lines == [
        "icarus: iverilog not on PATH, not simulated",
        "ghdl: ghdl not on PATH, not simulated",
    ]


def test_networks_that_cannot_be_built_are_refused(tmp_path):
    with pytest.raises(RtlError, match="limited to 51"):
        adder_graph(random_network(1, 2, 2, recurrent=fixed(45, 1)), 2)
    with pytest.raises(RtlError, match="limited to 32 bits"):
        write_rtl(random_network(1, 1, 1, sample=fixed(33, 4)), PARAMS, tmp_path / "r")
    constant = changed(SMALL, lambda layers: layers[1].update(kernel=_zero(layers[1]["kernel"])))
    with pytest.raises(RtlError, match="constant"):
        adder_graph(constant, 2)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises(RtlError, match="not empty"):
        write_rtl(SMALL, PARAMS, tmp_path / "used")


def _zero(kernel):
    return {**kernel, "integers": [[0] for _ in kernel["integers"]]}


def test_files_whose_names_are_more_than_names_are_refused(tmp_path):
    (tmp_path / "verilog").mkdir()
    (tmp_path / "verilog" / "a; exec x.v").touch()
    with pytest.raises(RtlError, match=r"expected files .* found 'a; exec x\.v'"):
        verilog_files(tmp_path, stream=True)


def test_missing_tools_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SimulationError, match=r"g\+\+: not found"):
        require_verilator()


def test_text_that_is_no_verilog_is_an_error(tmp_path):
    (tmp_path / "t.v").write_text("module t(input clk); nonsense endmodule")
    harness = Harness("t", 1, 1, "", "found[0] = 0;")
    with (
        pytest.raises(SimulationError, match=r"verilator on the RTL failed .*rror"),
        compiled([tmp_path / "t.v"], harness),
    ):
        pass


@pytest.mark.slow
def test_registers_start_at_random(tmp_path):
    """A register that is never written shows what it began with, the same at each run."""
    (tmp_path / "t.v").write_text(
        "module t(input clk, output reg [31:0] q); always @(posedge clk) q <= q; endmodule"
    )
    harness = Harness("t", 1, 1, "", "found[0] = dut->q;")
    with compiled([tmp_path / "t.v"], harness) as simulation:
        first, again = (simulation.run(np.zeros((2, 1), np.uint32)) for _ in range(2))
    assert first[0, 0] == first[1, 0] == again[0, 0]
    assert first[0, 0] not in (0, 2**32 - 1)


@pytest.mark.parametrize("bits", [1, 5, 12, 31, 32])
@pytest.mark.parametrize("signed", [False, True])
def test_windows_are_packed_oldest_lowest(bits, signed):
    of = FixedPointType(signed=signed, bits=bits, fraction_bits=0)
    windows = np.random.default_rng(1).integers(of.minimum, of.maximum + 1, (50, 7))
    windows[0], windows[1] = of.minimum, of.maximum
    packed = rtl_simulation._packed(windows, of)
    assert (packed.dtype, packed.shape) == (np.uint32, (50, -(-7 * bits // 32)))
    for window, words in zip(windows.tolist(), packed.tolist(), strict=True):
        whole = sum((sample % (1 << bits)) << (place * bits) for place, sample in enumerate(window))
        assert sum(word << (32 * place) for place, word in enumerate(words)) == whole


def test_packing_takes_little_memory():
    """With 100,000 windows of five samples: less than the windows themselves."""
    windows = np.zeros((100_000, 5), dtype=np.int64)
    tracemalloc.start()
    rtl_simulation._packed(windows, SMALL.input)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < windows.nbytes
