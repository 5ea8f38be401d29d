"""QKeras, the golden model and the C++ simulation must agree on every window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.base.arrays import F32, F64
from pipeline.firmware.hls import cpp_simulation
from pipeline.firmware.hls.cpp_simulation import CppSimulationError, WindowsDone
from pipeline.firmware.hls.layer_outputs import layer_outputs
from pipeline.firmware.hls.project import Target
from pipeline.integers import golden
from pipeline.integers.accumulators import widest_by_layer
from pipeline.integers.compare import Comparison, compare, name_tensor, require_agreement
from pipeline.integers.network import IntegerNetwork

QKERAS = "qkeras"
GOLDEN = "golden"

_FLOAT64_BITS = 54  # mantissa and sign


def check_golden(
    network: IntegerNetwork, windows: F32, quantized: F32, allowed_mev: float
) -> tuple[F64, Comparison]:
    """Compare the golden model with QKeras.

    Parameters
    ----------
    network
        The network as integers.
    windows
        float32 (n, window_length), scaled.
    quantized
        QKeras' outputs, float32 (n,), scaled.
    allowed_mev
        Largest difference that passes; above 0 only where not even float64 holds
        QKeras' own sums.

    Returns
    -------
    The golden outputs, float64 (n,), scaled, and the comparison.

    Raises
    ------
    MismatchError
        Naming window and tensor, and, where one is too wide, the sum that
        float32 cannot hold.
    """
    outputs = golden.evaluate(network, windows)
    comparison = compare(network, (QKERAS, quantized), (GOLDEN, outputs))
    where = ""
    if comparison.first_window is not None:
        first = slice(comparison.first_window, comparison.first_window + 1)
        tensors = golden.evaluate_tensors(network, windows[first])
        output = next(reversed(tensors))
        at_hand = {output: quantized[first, None].astype(np.float64)}
        where = f"{name_tensor(tensors, QKERAS, at_hand)}; {_float32_hint(network)}"
    require_agreement(comparison, allowed_mev, where)
    return outputs, comparison


def check_simulation(
    network: IntegerNetwork,
    windows: F32,
    golden_outputs: F64,
    project: Path,
    target: Target,
    windows_done: WindowsDone | None = None,
) -> tuple[F64, Comparison]:
    """Compare the C++ simulation of a project with the golden model; they must be equal.

    Parameters
    ----------
    network, windows
        As for `check_golden`.
    golden_outputs
        float64 (n,), scaled.
    project, target
        What `pipeline.firmware.hls.project.write_project` wrote, and for what.
    windows_done
        Called with the number of further windows done.

    Returns
    -------
    The simulated outputs, float64 (n,), scaled, and the comparison.

    Raises
    ------
    MismatchError
        Naming the first window and the first tensor that differ. The tensor comes from a
        second simulation of the same project, which saves its layers' outputs.
    CppSimulationError
        If g++ is missing or refuses the project.
    """
    with cpp_simulation.simulation(project, network, target) as simulated:
        outputs = simulated.evaluate(windows, windows_done)
    comparison = compare(network, (GOLDEN, golden_outputs), (target.backend.lower(), outputs))
    where = ""
    if comparison.first_window is not None:
        first = windows[comparison.first_window : comparison.first_window + 1]
        where = _first_tensor(project, network, target, first)
    require_agreement(comparison, 0.0, where)
    return outputs, comparison


def firmware_metrics(
    network: IntegerNetwork, comparisons: Sequence[Comparison]
) -> dict[str, object]:
    """Content of ``metrics/firmware.json``.

    ``float32_exact`` is 1 or 0; ``qkeras_float_bits`` says in what QKeras was evaluated: the
    stage ``finetune`` decides by the same sums.
    """
    exact = network.float32_exact
    return {
        **{comparison.found: comparison.metrics() for comparison in comparisons},
        "accumulator_bits": widest_by_layer(network.accumulators),
        "float32_exact": int(exact),
        "qkeras_float_bits": 32 if exact else 64,
    }


def _first_tensor(project: Path, network: IntegerNetwork, target: Target, window: F32) -> str:
    """Say where a project leaves the golden model; that it cannot be said hides no mismatch."""
    try:
        outputs = layer_outputs(project, network, target, window)
    except CppSimulationError as error:
        return f"its tensors cannot be saved: {error}"
    return name_tensor(golden.evaluate_tensors(network, window), target.backend.lower(), outputs)


def _float32_hint(network: IntegerNetwork) -> str:
    wide = [a for a in network.accumulators if not a.float32_exact]
    if not wide:
        return "float32 holds every sum, so the difference is not caused by float32 rounding"
    widest = max(wide, key=lambda accumulator: accumulator.bits)
    if widest.bits > _FLOAT64_BITS:
        return (
            f"{widest.name} needs {widest.bits} bits with its sign, float64 holds "
            f"{_FLOAT64_BITS}: QKeras itself may round there"
        )
    return (
        f"{wide[0].name} needs {wide[0].bits} bits with its sign, float32 holds 25: QKeras has to "
        "be evaluated in float64, which holds every sum"
    )
