"""hls4ml's templates compute what is written in `pipeline.integers.layers`, as far as tables go."""

import re
from contextlib import nullcontext

import numpy as np
import pytest

from pipeline.firmware.hls import cpp_simulation
from pipeline.firmware.hls.cpp_simulation import simulation
from pipeline.firmware.hls.gated_verification import (
    GatedReference,
    check_gated,
    gated_metrics,
    measure,
)
from pipeline.firmware.hls.project import Target, write_project
from pipeline.integers.compare import MismatchError
from tests.firmware.hls.targets import target
from tests.integers.networks import gated_reference, random_gated_network

WINDOWS = np.random.default_rng(1).normal(0, 0.3, (2000, 4)).astype(np.float32)


def smaller(backend: str, table_size: int = 4096) -> Target:
    return target(backend, gate_table_size=table_size)


def reference(network, backend: str = "Vitis") -> GatedReference:
    # Intel's LSTM takes tanh of c before it is rounded, AMD's after.
    quantized = gated_reference(network, WINDOWS, backend != "Quartus").astype(np.float32)
    return GatedReference(WINDOWS, quantized, np.zeros(len(WINDOWS), np.float32))


@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        ("Quartus", "lstm"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (("Quartus", "gru"), ("Vitis", "lstm"), ("Vitis", "gru"))
        ),
    ],
)
def test_the_templates_agree_and_a_larger_table_agrees_better(tmp_path, kind, backend):
    network = random_gated_network(kind)
    expected = reference(network, backend)
    found = {}
    for size in (256, 4096):
        project = tmp_path / str(size)
        write_project(network, smaller(backend, size), project)
        _, found[size] = check_gated(network, expected, 200.0, project, smaller(backend, size))
    # One step of the output is 3.9 MeV.
    assert np.std(expected.quantized) * 16000 > 40
    assert found[4096].rms_mev < 8
    assert found[4096].rms_mev < 0.3 * found[256].rms_mev
    assert found[4096].comparison.max_difference_mev < 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_broken_weight_in_the_project_is_noticed(tmp_path, monkeypatch, kind):
    network = random_gated_network(kind)
    project = tmp_path / "p"
    write_project(network, smaller("Vitis"), project)
    file = project / "firmware/weights/wr2.txt"
    weights = np.fromstring(file.read_text(), sep=",")
    sound = weights[-1]
    weights[-1] = -0.9 if sound > 0 else 0.9
    file.write_text(",".join(map(str, weights)))
    with simulation(project, network, smaller("Vitis")) as simulated:
        broken = simulated.evaluate(WINDOWS)
        monkeypatch.setattr(cpp_simulation, "simulation", lambda *_: nullcontext(simulated))
        with pytest.raises(MismatchError) as caught:
            check_gated(network, reference(network), 10.0, project, smaller("Vitis"))
    message = str(caught.value)
    found = re.search(r"farthest in window (\d+): (\S+) instead of (\S+)", message)
    assert found
    assert "max_gated_rms_mev: 10" in message
    differences = np.abs(broken - reference(network).quantized)
    assert int(found[1]) == int(np.argmax(differences))


def test_figures_are_what_they_say():
    network = random_gated_network("gru")
    truth = np.float32([0.0, 0.0, 0.5, 0.5])
    quantized = np.float32([0.0, 0.25, 0.5, 0.5])
    expected = GatedReference(WINDOWS[:4], quantized, truth)
    outputs = np.float64([0.0, 0.25, 0.5 + 2.0**-12, 0.5 - 3 * 2.0**-12])
    found = measure(network, expected, "vitis", outputs).metrics()
    step = 16000 / 4096
    assert (found["windows"], found["mismatches"]) == (4, 2)
    assert found["max_difference_mev"] == pytest.approx(3 * step)
    assert found["mean_difference_mev"] == pytest.approx(-step / 2)
    assert found["mean_absolute_difference_mev"] == pytest.approx(step)
    assert found["rms_difference_mev"] == pytest.approx(step * np.sqrt(10 / 4))
    metrics = gated_metrics(network, expected, [measure(network, expected, "vitis", outputs)])
    assert metrics["vitis"] == found
    assert metrics["qkeras"]["rmse_mev"] == pytest.approx(2000.0)
    assert metrics["exact"] == 0
    assert set(metrics["accumulator_bits"]) == {"rnn", "dense0"}
