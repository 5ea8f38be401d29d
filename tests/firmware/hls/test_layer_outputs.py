"""A mismatch names the first window and the first tensor of the very project that is wrong."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.firmware.hls.cpp_simulation import CppSimulationError
from pipeline.firmware.hls.layer_outputs import layer_outputs
from pipeline.firmware.hls.project import write_project
from pipeline.firmware.hls.templates.power_of_two import HEADER
from pipeline.firmware.hls.verification import check_simulation
from pipeline.integers import golden
from pipeline.integers.compare import MismatchError
from pipeline.integers.network import IntegerNetwork
from tests.firmware.hls.targets import target
from tests.integers.networks import fixed, powers, random_network, random_windows

TARGETS = {
    "vitis": target("Vitis"),
    "quartus": target("Quartus"),
}
# Two steps: the recurrent kernel and the state are used once, so that one change of the
# sources is one change of the network.
NETWORK = random_network(5, 4, 2, state=fixed(6, 2, signed=False))
WINDOWS = random_windows(NETWORK, 2000)
ONE = WINDOWS[3:4]


@pytest.fixture(scope="module", params=TARGETS)
def written(request, tmp_path_factory):
    """A sound project: what it is called in messages, target, directory."""
    of = TARGETS[request.param]
    project = tmp_path_factory.mktemp(request.param) / "project"
    write_project(NETWORK, of, project)
    return request.param, of, project


def changed(change) -> IntegerNetwork:
    tree = NETWORK.model_dump()
    change(tree)
    return IntegerNetwork.model_validate(tree)


def flip_recurrent(tree) -> None:
    tree["layers"][0]["recurrent_kernel"]["integers"][1][2] ^= 1


def flip_output(tree) -> None:
    tree["layers"][1]["kernel"]["integers"][3][0] ^= 1


def truncate_input(tree) -> None:
    tree["input"]["rounding"] = "TRN"


def truncate_state(tree) -> None:
    tree["layers"][0]["state"]["rounding"] = "TRN"


def round_output_half_up(tree) -> None:
    tree["layers"][1]["activation"]["rounding"] = "RND"


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, old
    path.write_text(text.replace(old, new))


def weights_file(backend: str, project: Path, name: str) -> Path:
    """What g++ gets the weights from: a text that is read at the start, or a header."""
    return project / "firmware" / "weights" / f"{name}.{'txt' if backend == 'vitis' else 'h'}"


def set_weight(backend: str, project: Path, name: str, index: int, old: float, new: float) -> None:
    path = weights_file(backend, project, name)
    text = path.read_text()
    start = 0 if backend == "vitis" else text.index("= {") + 3
    end = len(text) if backend == "vitis" else text.index("}", start)
    values = text[start:end].split(",")
    assert float(values[index]) == old
    values[index] = f" {new!r}"
    path.write_text(text[:start] + ",".join(values) + text[end:])


def set_rounding(project: Path, of: str, old: str, new: str) -> None:
    """Change one typedef of AMD's."""
    path = project / "firmware" / "defines.h"
    (line,) = re.findall(rf"typedef .*> {of};", path.read_text())
    replaced(path, line, line.replace(f"AP_{old}", f"AP_{new}"))


def real(integers, of, *index: int) -> float:
    return float(np.asarray(integers)[index]) * 2.0 ** -of["fraction_bits"]


def plant(backend: str, project: Path, fault) -> None:
    """Put into the written sources what `fault` does to the network."""
    sound, faulty = NETWORK.model_dump(), changed(fault).model_dump()

    def weight(name: str, layer: int, tensor: str, index: tuple[int, ...], place: int) -> None:
        of = sound["layers"][layer][tensor]["type"]
        old, new = (
            real(tree["layers"][layer][tensor]["integers"], of, *index) for tree in (sound, faulty)
        )
        assert abs(new - old) == 2.0 ** -of["fraction_bits"]
        set_weight(backend, project, name, place, old, new)

    if fault is flip_recurrent:
        # Rows of the second step: two samples, then the state; Intel's are transposed.
        weight("w5", 0, "recurrent_kernel", (1, 2), 3 * 4 + 2 if backend == "vitis" else 2 * 6 + 3)
    elif fault is flip_output:
        weight("w6", 1, "kernel", (3, 0), 3)
    elif fault is truncate_input:
        set_rounding(project, "input_t", "RND_CONV", "TRN")
    elif fault is truncate_state:
        set_rounding(project, "layer3_t", "RND_CONV", "TRN")
    else:
        set_rounding(project, "result_t", "RND_CONV", "RND")


def expected_place(fault, backend: str) -> str:
    """First window and tensor by the integer model of the faulty network."""
    faulty = changed(fault)
    outputs = golden.evaluate(NETWORK, WINDOWS), golden.evaluate(faulty, WINDOWS)
    window = int(np.flatnonzero(outputs[0] != outputs[1])[0])
    one = WINDOWS[window : window + 1]
    right, wrong = golden.evaluate_tensors(NETWORK, one), golden.evaluate_tensors(faulty, one)
    for tensor in right:
        if tensor.endswith(".sum"):
            continue  # a sum is no array of the project
        differing = np.flatnonzero(right[tensor].real[0] != wrong[tensor].real[0])
        if differing.size:
            unit = int(differing[0])
            values = (float(of[tensor].real[0, unit]) for of in (right, wrong))
            return (
                f"first in window {window}: {float(outputs[1][window])!r} instead of "
                f"{float(outputs[0][window])!r}; first tensor that differs: {tensor}, unit {unit}: "
                "golden has {!r}, {} {!r}".format(*[next(values), backend, next(values)])
            )
    raise AssertionError("the fault shows in no tensor")


# Of Intel's sources only the weights lie in another place and order than AMD's.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "fault", "tensor"),
    [
        ("vitis", flip_recurrent, "rnn.step1.activation, unit 2"),
        ("vitis", flip_output, "dense0.activation, unit 0"),
        ("vitis", truncate_input, "input, unit"),
        ("vitis", truncate_state, "rnn.step0.state, unit"),
        ("vitis", round_output_half_up, "dense0.activation, unit 0"),
        ("quartus", flip_recurrent, "rnn.step1.activation, unit 2"),
    ],
    indirect=["written"],
)
def test_a_fault_in_the_sources_is_named(written, fault, tensor, tmp_path):
    """The check that the stage uses, on written sources with one bit or one rounding changed."""
    backend, of, sound = written
    project = copied(sound, tmp_path / "faulty")
    plant(backend, project, fault)
    expected = golden.evaluate(NETWORK, WINDOWS)
    with pytest.raises(MismatchError) as caught:
        check_simulation(NETWORK, WINDOWS, expected, project, of)
    message = str(caught.value)
    assert message.endswith(expected_place(fault, backend))
    assert tensor in message


POWERS = random_network(
    6, 4, 3, activation=powers(9, 2), state=powers(6, 2), output=powers(10, 2, signed=False)
)


@pytest.fixture(scope="module", params=TARGETS)
def written_powers(request, tmp_path_factory):
    """As `written`, of a network that rounds to powers of two everywhere."""
    of = TARGETS[request.param]
    project = tmp_path_factory.mktemp(f"powers-{request.param}") / "project"
    write_project(POWERS, of, project)
    return request.param, of, project


def middle(of: golden.EvaluatedTensor, to: dict) -> np.ndarray:
    """Powers of two next to numbers on a linear scale, which is the planted fault."""
    sizes = np.abs(of.real[0]) * 2.0 ** to["fraction_bits"]
    exponents = np.floor(np.log2(np.maximum(sizes, 2.0**-60) / 1.5)) + 1
    exponents = np.clip(exponents, 0, to["bits"] - 1 - to["signed"])
    negative = of.real[0] < 0
    exponents = np.where(negative & (not to["signed"]), 0, exponents)
    return np.where(negative & to["signed"], -1, 1) * 2.0 ** (exponents - to["fraction_bits"])


@pytest.mark.slow
def test_a_wrong_limit_between_powers_is_named(written_powers, tmp_path):
    backend, of, sound = written_powers
    project = copied(sound, tmp_path / "faulty")
    replaced(project / "firmware" / HEADER, "0xB504F333F9DE6484", "0xBFFFFFFFFFFFFFFF")
    windows = random_windows(POWERS, 2000)
    with pytest.raises(MismatchError) as caught:
        check_simulation(POWERS, windows, golden.evaluate(POWERS, windows), project, of)
    found = re.search(
        r"first in window (\d+): .*first tensor that differs: (\S+), unit (\d+): "
        rf"golden has \S+, {backend} (\S+)$",
        str(caught.value),
    )
    assert found
    window, tensor, unit, wrong = found.groups()
    right = golden.evaluate_tensors(POWERS, windows[int(window) :][:1])
    rnn, dense = POWERS.model_dump()["layers"]
    for name in right:
        if not name.endswith((".activation", ".state")):
            continue
        before = name.replace(".activation", ".sum").replace(".state", ".activation")
        to = rnn["state"] if name.endswith("state") else (rnn, dense)["dense" in name]["activation"]
        differing = np.flatnonzero(middle(right[before], to) != right[name].real[0])
        if differing.size:
            break
    assert (tensor, int(unit)) == (name, differing[0])
    assert float(wrong) == middle(right[before], to)[differing[0]]


@pytest.mark.slow
def test_the_outputs_of_powers_of_two_are_the_golden_ones(written_powers):
    _, of, project = written_powers
    one = random_windows(POWERS, 2000)[5:6]
    found = layer_outputs(project, POWERS, of, one)
    expected = golden.evaluate_tensors(POWERS, one)
    assert list(found) == [name for name in expected if not name.endswith(".sum")]
    for name, values in found.items():
        assert np.array_equal(values, expected[name].real), name


def copied(sound: Path, to: Path) -> Path:
    shutil.copytree(sound, to)
    return to


@pytest.mark.slow
def test_the_outputs_of_a_sound_project_are_the_golden_ones(written):
    _, of, project = written
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    found = layer_outputs(project, NETWORK, of, ONE)
    expected = golden.evaluate_tensors(NETWORK, ONE)
    assert list(found) == [name for name in expected if not name.endswith(".sum")]
    for name, values in found.items():
        assert np.array_equal(values, expected[name].real), name
    assert before == {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_project_whose_outputs_cannot_be_saved_is_still_a_mismatch(written, tmp_path):
    """Without the array that hls4ml names, the window is named and the reason given."""
    backend, of, sound = written
    project = copied(sound, tmp_path / "p")
    plant(backend, project, flip_output)
    source = project / "firmware" / "cell.cpp"
    source.write_text(source.read_text().replace("layer5_out", "renamed"))
    expected = golden.evaluate(NETWORK, WINDOWS)
    with pytest.raises(
        MismatchError, match=r"in window \d+: .*; its tensors cannot be saved: g.*layer5_out"
    ):
        check_simulation(NETWORK, WINDOWS, expected, project, of)


def test_a_source_without_an_end_is_an_error(written, tmp_path):
    _, of, sound = written
    project = copied(sound, tmp_path / "p")
    (project / "firmware" / "cell.cpp").write_text("")
    with pytest.raises(CppSimulationError, match=r"firmware/cell\.cpp: no "):
        layer_outputs(project, NETWORK, of, ONE)
