"""The project that hls4ml writes: explicit types, no recurrent layer, the same bytes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.base.files import replacing_directory
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.firmware.hls import project as hls_project
from pipeline.firmware.hls.graph import HlsGraph, HlsGraphError, build_graph, refuse_recurrent
from pipeline.firmware.hls.project import HlsProjectError, precision_string, write_project
from pipeline.firmware.hls.templates.power_of_two import header
from tests.firmware.hls.targets import target
from tests.imports import ROOT
from tests.integers.networks import fixed, powers, random_network

TARGET = target("Vitis")
SMALL = random_network(units=2, length=2, state=fixed(5, 2, signed=False))


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_same_network_gives_the_same_bytes_anywhere(tmp_path):
    write_project(SMALL, TARGET, tmp_path / "one")
    write_project(SMALL, TARGET, tmp_path / "elsewhere" / "two")
    first, second = files(tmp_path / "one"), files(tmp_path / "elsewhere" / "two")
    assert first == second
    assert "firmware/cell.cpp" in first
    assert "build_prj.tcl" in first
    assert not any(name.endswith((".so", ".o", ".yml", ".keras")) for name in first)
    text = b"".join(first.values())
    assert str(tmp_path).encode() not in text
    assert str(Path.home()).encode() + b"/" not in text


def test_every_type_is_the_networks_own(tmp_path):
    write_project(SMALL, TARGET, tmp_path / "p")
    defines = (tmp_path / "p/firmware/defines.h").read_text()
    assert "typedef ap_fixed<12,4,AP_RND_CONV,AP_SAT,0> input_t;" in defines
    assert "typedef ap_ufixed<8,2,AP_RND_CONV,AP_SAT,0> result_t;" in defines
    assert "ap_ufixed<5,2,AP_RND_CONV,AP_SAT,0>" in defines  # the state
    assert "<97," not in defines


def test_scripts_name_part_clock_and_backend(tmp_path):
    write_project(SMALL, TARGET, tmp_path / "p")
    script = (tmp_path / "p/project.tcl").read_text()
    for line in (
        'set project_name "cell"',
        'set backend "vitis"',
        'set part "xcvu9p-flga2577-2-e"',
        "set clock_period 3.125",
        "set clock_uncertainty 27%",
    ):
        assert line in script


def test_tensorflow_stays_out(tmp_path):
    program = (
        "import sys; from pathlib import Path\n"
        "from pipeline.firmware.hls.project import write_project\n"
        "from tests.firmware.hls.targets import target\n"
        "from tests.integers.networks import random_network\n"
        "import pipeline.firmware.hls.cpp_simulation, pipeline.firmware.hls.verification\n"
        "write_project(random_network(units=2), target(), Path(sys.argv[1]))\n"
        "print([name for name in ('tensorflow', 'keras', 'qkeras') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "p")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("kind", ["SimpleRNN", "QSimpleRNN", "LSTM", "GRU", "Bidirectional"])
def test_recurrent_layers_never_reach_hls4ml(kind, tmp_path):
    layers = [
        {"class_name": "InputLayer", "name": "x", "input_shape": [5, 1]},
        {"class_name": kind, "name": "cell"},
    ]
    with pytest.raises(HlsGraphError, match=f"'cell' is a {kind}.*uninitialised"):
        refuse_recurrent(layers)
    with pytest.raises(HlsGraphError, match="uninitialised"):
        hls_project._convert(HlsGraph(layers, {}, {}), TARGET, tmp_path / "p", False)


def test_only_the_class_that_was_asked_for_passes():
    layers = [{"class_name": kind, "name": "cell"} for kind in ("LSTM", "GRU")]
    refuse_recurrent(layers[:1], "LSTM")
    with pytest.raises(HlsGraphError, match="'cell' is a GRU"):
        refuse_recurrent(layers, "LSTM")


def test_each_maker_has_its_device():
    devices = {"part": "xcvu9p", "intel_part": "Agilex7"}
    for backend, part in {
        "Vitis": "xcvu9p", "Vivado": "xcvu9p", "Quartus": "Agilex7", "oneAPI": "Agilex7",
    }.items():  # fmt: skip
        assert target(backend, **devices).part == part
        assert target(backend).intel == (part == "Agilex7")


def test_a_directory_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(HlsProjectError, match="not empty"):
        write_project(SMALL, TARGET, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_half_a_project_is_removed(tmp_path, monkeypatch):
    def fail(model, graph):
        raise HlsProjectError("hls4ml changed a type")

    monkeypatch.setattr(hls_project, "_check", fail)
    with pytest.raises(HlsProjectError, match="changed a type"):
        write_project(SMALL, TARGET, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_a_type_that_hls4ml_changes_is_noticed(tmp_path):
    graph = build_graph(SMALL)
    model = hls_project._convert(graph, TARGET, tmp_path / "p", False)
    wrong = FixedPointType(signed=True, bits=9, fraction_bits=1)
    graph.precisions["step1"]["result"] = wrong
    with pytest.raises(HlsProjectError, match=r"step1\.result from fixed<9,8,RND_CONV,SAT>"):
        hls_project._check(model, graph)


def test_types_too_wide_for_double_are_refused():
    with pytest.raises(HlsGraphError, match="53 bits, found 60"):
        build_graph(random_network(units=1, length=1, weight=fixed(2, 1), output=fixed(60, 2)))


def test_graph_has_one_dense_layer_per_step():
    graph = build_graph(random_network(units=3, length=4))
    kinds = [layer["class_name"] for layer in graph.layers]
    assert kinds == ["InputLayer", "Dense", *["Concatenate", "Dense"] * 3, "Dense"]
    last = graph.layers[-2]["weight_data"]
    assert last.shape == (4 + 3, 3)
    assert np.count_nonzero(last[:3]) == 0
    assert graph.golden_names["step3"] == "rnn.step3.activation"


def test_units_of_one_type_are_one_layer_and_all_are_put_together():
    network = random_network(units=5, length=2, unit_bits=[8, 8, 5, 3, 3])
    graph = build_graph(network)
    names = [layer["name"] for layer in graph.layers]
    step = ["step0_unit0", "step0_unit2", "step0_units3", "step0_unit3", "step0"]
    assert names[:7] == ["window", *step, "join1"]
    parts = [layer["n_out"] for layer in graph.layers[1:6] if layer["class_name"] == "Dense"]
    assert parts == [2, 1, 2]
    assert graph.layers[5]["inputs"] == ["step0_units3", "step0_unit3"]
    results = [precision_string(graph.precisions[name]["result"]) for name in step]
    narrow = [f"ufixed<{bits},{bits - 6},RND_CONV,SAT>" for bits in (8, 5, 3)]
    assert results == [*narrow[:2], "ufixed<8,2,TRN,WRAP>", narrow[2], "ufixed<8,2,TRN,WRAP>"]
    assert graph.golden_names["step0"] == "rnn.step0.activation"
    alike = build_graph(random_network(units=5, length=2, unit_bits=[6] * 5))
    assert [layer["name"] for layer in alike.layers][:3] == ["window", "step0", "join1"]
    assert precision_string(alike.precisions["step0"]["result"]) == "ufixed<6,0,RND_CONV,SAT>"


def test_powers_of_two_are_rounded_behind_the_sum():
    network = random_network(
        units=3, length=2, activation=powers(9, 2), state=powers(6, 2), output=powers(10, 3)
    )
    graph = build_graph(network)
    names = {layer["name"]: layer.get("activation") for layer in graph.layers}
    function = "power_of_two"
    assert names == {
        "window": None,
        "step0_sum": None,
        "step0": function,
        "state0": function,
        "join1": None,
        "step1_sum": None,
        "step1": function,
        "dense0_sum": None,
        "dense0": function,
    }
    sums = [graph.precisions[name] for name in ("step0_sum", "step1_sum", "dense0_sum")]
    assert all(types["result"] == types["accum"] for types in sums)
    assert graph.golden_names["step1"] == "rnn.step1.activation"
    assert precision_string(graph.precisions["state0"]["result"]) == "fixed<6,2,TRN,WRAP>"


@pytest.mark.parametrize("state", [powers(6, 2), powers(4, 9, signed=False)])
def test_a_state_that_has_no_zero_starts_at_its_step(state):
    """QKeras quantizes the state of the start, too."""
    network = random_network(units=3, length=2, state=state)
    rnn = network.rnn
    first, second = (layer for layer in build_graph(network).layers if "step" in layer["name"])
    bias, recurrent = (
        of.array * 2.0**-of.type.fraction_bits for of in (rnn.bias, rnn.recurrent_kernel)
    )
    expected = bias + rnn.state.step * recurrent.sum(axis=0)
    assert np.array_equal(first["bias_data"], expected)
    assert np.array_equal(second["bias_data"], bias)
    assert np.array_equal(first["weight_data"][0], second["weight_data"][1])


def test_an_input_of_powers_of_two_is_refused():
    with pytest.raises(HlsGraphError, match="input: expected a type that rounds to its step"):
        build_graph(random_network(units=1, length=1, sample=powers(6, 2)))


def test_a_start_that_double_does_not_hold_is_refused():
    """A bias of 2**-56 beside a state of 1: float64 holds both, but not their sum."""
    types = {"weight": fixed(2, 1), "state": powers(3, 3), "bias": fixed(8, -48)}
    with pytest.raises(HlsGraphError, match=r"rnn: bias and state at the start .* 53 bits"):
        build_graph(random_network(2, units=3, length=1, **types))


@pytest.mark.parametrize(
    ("backend", "folder"),
    [("Vitis", ""), ("Vivado", ""), ("Quartus", ""), ("oneAPI", "src")],
)
def test_the_header_is_there_only_for_powers_of_two(backend, folder, tmp_path):
    of = target(backend, intel_part="Agilex7" if backend == "oneAPI" else "Stratix10")
    one = random_network(units=1, length=1, output=powers(5, 2))
    with_powers, without = tmp_path / "p" / folder, tmp_path / "q" / folder
    write_project(one, of, tmp_path / "p")
    write_project(random_network(units=1, length=1), of, tmp_path / "q")
    name = "nnet_utils/nnet_power_of_two.h"
    assert (with_powers / "firmware" / name).read_text() == header(backend)
    include = f'#include "{name}"'
    assert (with_powers / "firmware/parameters.h").read_text().count(include) == 1
    assert "nnet::power_of_two<" in (with_powers / "firmware/cell.cpp").read_text()
    assert not (without / "firmware" / name).exists()
    assert b"power_of_two" not in b"".join(files(tmp_path / "q").values())


def test_precision_string():
    of = FixedPointType(signed=False, bits=8, fraction_bits=6, rounding="RND", overflow="WRAP")
    assert precision_string(of) == "ufixed<8,2,RND,WRAP>"


def test_directories_are_replaced_whole(tmp_path):
    target = tmp_path / "firmware"
    for content in ("old", "new"):
        with replacing_directory(target) as directory:
            (directory / "file").write_text(content)
    assert (target / "file").read_text() == "new"

    def half() -> None:
        with replacing_directory(target) as directory:
            (directory / "file").write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        half()
    assert (target / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["firmware"]


@pytest.mark.parametrize("backend", ["Quartus", "oneAPI"])
def test_tables_of_functions_have_digits_that_every_processor_agrees_on(tmp_path, backend):
    write_project(random_network(0), target(backend), tmp_path / "project")
    tables = sorted((tmp_path / "project").rglob("*.tb"))
    assert {"tanh_table.tb", "sigmoid_table.tb"} <= {table.name for table in tables}
    for table in tables:
        _, _, values = table.read_text().partition("{")
        numbers = [text.strip() for text in values.rpartition("}")[0].split(",")]
        assert len(numbers) == 1024
        for text in numbers:
            value = float(text)
            assert np.isfinite(value)
            assert value == float(f"{value:.10g}") or value > 1e308, (table.name, text)
