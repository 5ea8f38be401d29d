"""The C++ simulation of the generated project equals the golden model, bit for bit."""

import numpy as np
import pytest

from pipeline.base.architecture import Architecture
from pipeline.firmware.hls import cpp_simulation
from pipeline.firmware.hls.cpp_simulation import CppSimulationError, require_compiler, simulation
from pipeline.firmware.hls.project import write_project
from pipeline.integers import golden
from tests.firmware.hls.targets import target
from tests.integers.networks import fixed, power_network, powers, random_network, random_windows

VITIS, VIVADO, QUARTUS = target("Vitis"), target("Vivado"), target("Quartus")

CASES = {
    "8 bits": (random_network(), VITIS),
    "4 bits": (
        random_network(
            1, weight=fixed(4, 1), activation=fixed(4, 2, signed=False), sample=fixed(6, 3)
        ),
        VIVADO,
    ),
    "12 bits, 16 units": (
        random_network(2, 16, weight=fixed(12, 1), activation=fixed(12, 2, signed=False)),
        VITIS,
    ),
    "powers of two": (
        random_network(
            3, 3, weight=fixed(3, 0), recurrent=fixed(24, 1), activation=fixed(10, 2, signed=False)
        ),
        VITIS,
    ),
    "signed, integers, own state, two dense": (
        random_network(
            4,
            4,
            hidden_dense=2,
            sample=fixed(6, 8),
            state=fixed(6, 2),
            activation=fixed(8, 8),
            output=fixed(10, 6, rounding="RND"),
        ),
        VITIS,
    ),
    "TRN and WRAP": (
        random_network(
            6, 3, 3, activation=fixed(8, 1, signed=False, rounding="TRN", overflow="WRAP")
        ),
        VITIS,
    ),
    "bits of each unit": (
        random_network(
            14,
            5,
            activation=fixed(9, 2, signed=False, rounding="RND"),
            unit_bits=[9, 7, 7, 5, 2],
        ),
        VITIS,
    ),
    "weights 2**23 apart": (power_network(7), VITIS),
    "activation of powers of two": (
        random_network(8, 4, activation=powers(10, 2, signed=False), output=fixed(14, 3)),
        VITIS,
    ),
    "state of powers of two": (
        random_network(9, 4, activation=fixed(8, 2), state=powers(9, 1), output=fixed(14, 3)),
        VIVADO,
    ),
    "output of powers of two": (random_network(10, 4, output=powers(12, 2)), VITIS),
    "everything is powers of two": (
        power_network(
            11,
            activation=powers(20, 3),
            state=powers(6, 2, signed=False),
            output=powers(24, 4),
            hidden_dense=3,
        ),
        VIVADO,
    ),
    "state without a step of the activation": (
        random_network(
            12, 3, activation=powers(9, 3), state=fixed(5, 3, rounding="TRN"), output=powers(9, 6)
        ),
        VITIS,
    ),
    "powers far above and below the sums": (
        random_network(
            13,
            3,
            activation=powers(20, 12),
            state=powers(3, -4, signed=False),
            output=powers(24, 1),
        ),
        VITIS,
    ),
}


@pytest.mark.parametrize("intel", [False, True])
@pytest.mark.parametrize(
    "name",
    ["8 bits", *(pytest.param(n, marks=pytest.mark.slow) for n in list(CASES)[1:])],
)
def test_equals_the_golden_model(name, intel, tmp_path):
    network, of = CASES[name]
    of = QUARTUS if intel else of
    windows = random_windows(network, 4000)
    write_project(network, of, tmp_path / "project")
    with simulation(tmp_path / "project", network, of) as simulated:
        found = simulated.evaluate(windows)
    expected = golden.evaluate(network, windows)
    assert np.count_nonzero(found != expected) == 0
    assert len(set(expected.tolist())) > 5
    assert not list((tmp_path / "project").rglob("*.so"))


@pytest.mark.slow
def test_windows_are_checked_and_counted(tmp_path, monkeypatch):
    network = random_network(units=1, length=2)
    write_project(network, VITIS, tmp_path / "p")
    monkeypatch.setattr(cpp_simulation, "CHUNK_WINDOWS", 40)
    done: list[int] = []
    with simulation(tmp_path / "p", network, VITIS) as simulated:
        simulated.evaluate(random_windows(network, 100), done.append)
        with pytest.raises(CppSimulationError, match=r"\(n, 2\), found \(2,\)"):
            simulated.evaluate(np.zeros(2))
        with pytest.raises(CppSimulationError, match="not finite"):
            simulated.evaluate(np.full((1, 2), np.nan, np.float32))
    assert done == [40, 40, 20]


@pytest.mark.slow
@pytest.mark.parametrize("of", [VITIS, VIVADO, QUARTUS], ids=lambda of: of.backend)
@pytest.mark.parametrize("seed", range(1))
def test_random_types_of_powers_of_two(seed, of, tmp_path):
    rng = np.random.default_rng(seed)

    def random_powers():
        bits = int(rng.integers(2, 16))
        return powers(bits, int(rng.integers(-2, 5)), signed=bool(rng.integers(2)))

    network = random_network(
        seed, 3, 3, activation=random_powers(), state=random_powers(), output=random_powers()
    )
    windows = random_windows(network, 4000)
    # The ends of the input, and 0, which no type of powers of two holds.
    of_input = network.input
    windows[:3] = np.array([[of_input.minimum], [of_input.maximum], [0]]) * of_input.step
    write_project(network, of, tmp_path / "p")
    with simulation(tmp_path / "p", network, of) as simulated:
        found = simulated.evaluate(windows)
    assert np.count_nonzero(found != golden.evaluate(network, windows)) == 0


# Keras 2.15 draws the seeds of its initializers with randint(1, 1e9).
@pytest.mark.filterwarnings("ignore:non-integer arguments to randrange:DeprecationWarning")
@pytest.mark.slow
def test_weights_as_qkeras_rounds_them_to_powers_of_two(tmp_path):
    """With 6 bits the smallest is the one that QKeras does not take for 0, 2**-23."""
    pytest.importorskip("tensorflow")
    from pipeline.quantization.finetuning.export import to_integer_network
    from tests.quantization.quantizer_sets import frozen_network

    texts = {
        "input": "quantized_bits(12,3,0,alpha=1)",
        "rnn/kernel": "quantized_po2(6,1)",
        "rnn/recurrent_kernel": "quantized_po2(6,1)",
        "rnn/bias": "quantized_bits(10,0,0,alpha=1)",
        "rnn/activation": "quantized_relu(8,1)",
        "rnn/state": "quantized_relu(8,1)",
        "dense/kernel": "quantized_po2(6,1)",
        "dense/bias": "quantized_bits(10,0,0,alpha=1)",
        "dense/activation": "quantized_relu(12,1)",
    }
    _, quantizers, weights, _ = frozen_network(texts, 8, 3)
    for tensor in ("rnn/kernel", "rnn/recurrent_kernel", "dense/kernel"):
        weights[tensor].flat[:2] = 2.0**-23, 1
    network = to_integer_network(Architecture("SimpleRNN", 8, 3), weights, quantizers, 16.0)
    for layer in (network.rnn, *network.dense):
        sizes = np.abs(layer.kernel.array)
        assert sizes.max() == sizes.min() << 23
    windows = random_windows(network, 4000)
    expected = golden.evaluate(network, windows)
    assert len(set(expected.tolist())) > 20
    for of in (VITIS, VIVADO, QUARTUS):
        directory = tmp_path / of.backend
        write_project(network, of, directory)
        with simulation(directory, network, of) as simulated:
            assert np.count_nonzero(simulated.evaluate(windows) != expected) == 0


def test_a_oneapi_project_is_written_and_not_simulated(tmp_path):
    network = random_network(units=1, length=2)
    of = target("oneAPI", intel_part="Agilex7")
    write_project(network, of, tmp_path / "p")
    assert (tmp_path / "p/CMakeLists.txt").is_file()
    with (
        pytest.raises(CppSimulationError, match="needs icpx"),
        simulation(tmp_path / "p", network, of),
    ):
        pass


def test_missing_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CppSimulationError, match=r"g\+\+: not found on PATH"):
        require_compiler()


@pytest.mark.slow
def test_code_that_does_not_compile_is_an_error_with_its_line(tmp_path):
    network = random_network(units=1, length=1)
    write_project(network, VITIS, tmp_path / "p")
    source = tmp_path / "p/firmware/cell.cpp"
    source.write_text(source.read_text() + "\nnonsense\n")
    with (
        pytest.raises(
            CppSimulationError, match=r"g\+\+ on the project failed with exit code 1: .*nonsense"
        ),
        simulation(tmp_path / "p", network, VITIS),
    ):
        pass
