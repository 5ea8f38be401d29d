"""How far hls4ml's C++ of an LSTM or a GRU is from QKeras, on every test window.

These cells are not exact, so a difference is no failure but a figure. Garbage is a failure:
hls4ml is known to return it without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.base.arrays import F32, F64, Real, root_mean_square
from pipeline.base.units import MEV_PER_GEV
from pipeline.firmware.hls import cpp_simulation
from pipeline.firmware.hls.cpp_simulation import WindowsDone
from pipeline.firmware.hls.project import Target
from pipeline.firmware.hls.verification import QKERAS
from pipeline.integers.accumulators import widest_by_layer
from pipeline.integers.compare import Comparison, MismatchError, compare
from pipeline.integers.network import IntegerNetwork


@dataclass(frozen=True)
class GatedComparison:
    """One evaluator against QKeras and the truth, over all windows.

    Attributes
    ----------
    comparison
        Names, windows, mismatches and the largest difference.
    mean_mev, mean_absolute_mev, rms_mev
        Of the differences to QKeras, over all windows.
    rmse_mev
        Root mean square of the difference to the true E_T.
    """

    comparison: Comparison
    mean_mev: float
    mean_absolute_mev: float
    rms_mev: float
    rmse_mev: float

    def metrics(self) -> dict[str, Any]:
        """Return what goes into ``metrics/firmware.json``."""
        return self.comparison.metrics() | {
            "mean_difference_mev": self.mean_mev,
            "mean_absolute_difference_mev": self.mean_absolute_mev,
            "rms_difference_mev": self.rms_mev,
            "rmse_mev": self.rmse_mev,
        }


@dataclass(frozen=True)
class GatedReference:
    """What a simulation is compared with.

    Attributes
    ----------
    windows
        float32 (n, window_length), scaled.
    quantized
        QKeras' outputs, float32 (n,), scaled.
    truth
        True E_T, float32 (n,), scaled.
    """

    windows: F32
    quantized: F32
    truth: F32


def check_gated(
    network: IntegerNetwork,
    reference: GatedReference,
    allowed_rms_mev: float,
    project: Path,
    target: Target,
    windows_done: WindowsDone | None = None,
) -> tuple[F64, GatedComparison]:
    """Compare the C++ simulation of a project with QKeras.

    Parameters
    ----------
    network, reference
        What was asked for.
    allowed_rms_mev
        ``synthesize.max_gated_rms_mev``: a larger RMS difference is garbage.
    project, target, windows_done
        As `pipeline.firmware.hls.verification.check_simulation`.

    Returns
    -------
    The simulation's outputs, float64 (n,), scaled, and the comparison.

    Raises
    ------
    MismatchError
        If the RMS difference is larger; the window with the largest one is named.
    CppSimulationError
        If g++ is missing or refuses the project.
    """
    with cpp_simulation.simulation(project, network, target) as simulated:
        outputs = simulated.evaluate(reference.windows, windows_done)
    found = measure(network, reference, target.backend.lower(), outputs)
    if not found.rms_mev <= allowed_rms_mev:
        worst = int(np.argmax(np.abs(outputs - reference.quantized)))
        raise MismatchError(
            f"{found.comparison.found} is {found.rms_mev:.3g} MeV (RMS) from {QKERAS} over "
            f"{found.comparison.windows} windows (synthesize.max_gated_rms_mev: "
            f"{allowed_rms_mev:g}); farthest in window {worst}: {float(outputs[worst])!r} "
            f"instead of {float(reference.quantized[worst])!r}"
        )
    return outputs, found


def measure(
    network: IntegerNetwork, reference: GatedReference, name: str, outputs: Real
) -> GatedComparison:
    """Compare an evaluator's outputs, (n,), scaled, with QKeras and the truth."""
    scale_mev = network.et_scale_gev * MEV_PER_GEV
    differences = (outputs.astype(np.float64) - reference.quantized) * scale_mev
    errors = (outputs.astype(np.float64) - reference.truth) * scale_mev
    return GatedComparison(
        comparison=compare(network, (QKERAS, reference.quantized), (name, outputs)),
        mean_mev=float(differences.mean()),
        mean_absolute_mev=float(np.abs(differences).mean()),
        rms_mev=root_mean_square(differences),
        rmse_mev=root_mean_square(errors),
    )


def gated_metrics(
    network: IntegerNetwork, reference: GatedReference, comparisons: Sequence[GatedComparison]
) -> dict[str, Any]:
    """Return the content of ``metrics/firmware.json``; ``exact`` is 0, for no golden model."""
    itself = measure(network, reference, QKERAS, reference.quantized)
    return {
        **{found.comparison.found: found.metrics() for found in comparisons},
        QKERAS: {"rmse_mev": itself.rmse_mev},
        "accumulator_bits": widest_by_layer(network.accumulators),
        "exact": 0,
    }
