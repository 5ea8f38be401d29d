"""The repairs of hls4ml's LSTM and GRU: found where they belong, refused where they do not."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pipeline.firmware.hls.cpp_simulation import simulation
from pipeline.firmware.hls.gated_templates import HEADER, TABLES, TemplateError, repair_templates
from pipeline.firmware.hls.project import write_project
from pipeline.integers.network import IntegerNetwork
from tests.firmware.hls.targets import target
from tests.integers.networks import (
    fixed,
    gated_reference,
    random_gated_network,
    random_network,
    tensor,
)


def original(templates: str, header: Path) -> bytes:
    """Return hls4ml's own header."""
    found = find_spec("hls4ml")
    assert found
    assert found.origin
    folder = Path(found.origin).parent / "templates" / templates / "nnet_utils"
    return (folder / header.name).read_bytes()


def one_unit_network(kind: str) -> IntegerNetwork:
    """One step in which sums under sigmoid are exactly 8 (lstm) or -8, 8 (gru: z, r)."""
    tree = random_gated_network(kind, units=1, length=1).model_dump()
    tree["input"] = fixed(12, 4)
    rnn, dense = tree["layers"]
    kernel, bias = {
        "lstm": ([[0, 0, 1, 0]], [8, 8, 0, 8]),
        "gru": ([[0, 0, 1]], [[-8, 8, 0], [0, 0, 0]]),
    }[kind]
    whole = fixed(8, 8)
    rnn |= {"kernel": tensor(kernel, whole), "bias": tensor(bias, whole)}
    dense |= {"kernel": tensor([[1]], whole), "bias": tensor([0], whole)}
    return IntegerNetwork.model_validate(tree)


def project(tmp_path, kind, backend):
    directory = tmp_path / "p"
    write_project(random_gated_network(kind), target(backend), directory)
    return directory


@pytest.mark.parametrize("backend", ["Vitis", "Vivado", "Quartus"])
def test_an_lstm_is_repaired_once(tmp_path, backend):
    directory = project(tmp_path, "lstm", backend)
    with pytest.raises(TemplateError, match=r"nnet_recurrent\.h: .* expected \d in hls4ml 1\.3\.0"):
        repair_templates(directory, "LSTM", backend)


def test_amds_gru_is_left_as_it_is(tmp_path):
    directory = project(tmp_path, "gru", "Vitis")
    before = [(directory / header).read_bytes() for header in (HEADER, TABLES)]
    assert before == [original("vivado", header) for header in (HEADER, TABLES)]
    repair_templates(directory, "GRU", "Vitis")
    assert [(directory / header).read_bytes() for header in (HEADER, TABLES)] == before


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_two_comparisons_of_intels_tables_are_repaired(tmp_path, kind):
    directory = project(tmp_path, kind, "Quartus")
    before = original("quartus/firmware", TABLES).decode().splitlines()
    after = (directory / TABLES).read_text().splitlines()
    changed = [(a.strip(), b.strip()) for a, b in zip(before, after, strict=True) if a != b]
    assert changed == [
        ("if (absoluteValue > MAX_VALUE)", "if (absoluteValue >= MAX_VALUE)"),
        ("if (temp > MAX_VALUE)", "if (temp >= MAX_VALUE)"),
    ]
    assert "dense_tanh" in "".join(after[: after.index("        if (temp >= MAX_VALUE)")])
    assert "softsign" not in "".join(after[: after.index("        if (temp >= MAX_VALUE)")])
    if kind == "gru":
        assert (directory / HEADER).read_bytes() == original("quartus/firmware", HEADER)


@pytest.mark.parametrize("backend", ["Vitis", "Quartus"])
def test_a_simple_rnn_is_left_as_it_is(tmp_path, backend):
    directory = tmp_path / "p"
    write_project(random_network(), target(backend), directory)
    folder = {"Vitis": "vivado", "Quartus": "quartus/firmware"}[backend]
    for header in (HEADER, TABLES):
        assert (directory / header).read_bytes() == original(folder, header)


@pytest.mark.parametrize("recurrent", ["LSTM", "GRU"])
@pytest.mark.parametrize("name", ["absoluteValue", "temp"])
def test_tables_without_the_comparison_are_refused(tmp_path, recurrent, name):
    for header in (HEADER, TABLES):
        (tmp_path / header).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / header).write_bytes(original("quartus/firmware", header))
    code = (tmp_path / TABLES).read_text()
    (tmp_path / TABLES).write_text(code.replace(f"({name} > MAX", f"({name} >= MAX"))
    message = rf"nnet_activation\.h: .*{name} > MAX_VALUE.* expected 1 .*'s {recurrent} for Quartus"
    with pytest.raises(TemplateError, match=message + ", found 0"):
        repair_templates(tmp_path, recurrent, "Quartus")


@pytest.mark.parametrize(
    ("kind", "backend", "table_size"),
    [
        pytest.param("lstm", "Vitis", 1024, marks=pytest.mark.slow),
        pytest.param("gru", "Vitis", 1024, marks=pytest.mark.slow),
        ("lstm", "Quartus", 1024),
        ("gru", "Quartus", 1024),
        # 16 bits hold every index, but not the one past the end
        pytest.param("gru", "Quartus", 32768, marks=pytest.mark.slow),
    ],
)
def test_the_tables_saturate_from_their_limits_on(tmp_path, kind, backend, table_size):
    network = one_unit_network(kind)
    of = target(backend, gate_table_size=table_size)
    write_project(network, of, tmp_path / "p")
    # The sum under tanh is the sample. 2**-8 is a step of the input.
    windows = np.float32([[-5], [-4 - 2**-8], [-4], [-4 + 2**-8]])
    windows = np.concatenate([windows, -windows[::-1]])
    with simulation(tmp_path / "p", network, of) as simulated:
        found = simulated.evaluate(windows)
    expected = gated_reference(network, np.clip(windows, -4, 4), backend != "Quartus")
    assert np.abs(expected).min() > (0.75 if kind == "lstm" else 0.99)
    # Out there an entry is off by less than a step of the output, 2**-12; LSTM's tanh(c), with c
    # near 1, by less than a bin of AMD's table.
    tolerance = 8 / table_size if kind == "lstm" else 2**-12
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def test_a_failed_repair_leaves_no_project(tmp_path, monkeypatch):
    from pipeline.firmware.hls import project as hls_project

    def fails(*_):
        raise TemplateError("not the known one")

    monkeypatch.setattr(hls_project, "repair_templates", fails)
    with pytest.raises(TemplateError):
        project(tmp_path, "lstm", "Vitis")
    assert not (tmp_path / "p").exists()
