"""The HLS projects of a stage: all written and checked, or none left behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from pipeline.base.arrays import F64
from pipeline.base.files import replacing_directory, write_text
from pipeline.firmware.hls.cpp_simulation import WindowsDone
from pipeline.firmware.hls.project import Target, write_project
from pipeline.integers.network import NOT_AVAILABLE, IntegerNetwork

NO_GATED_ONEAPI = (
    "no oneAPI project of an LSTM or a GRU: its C++ compiles only with icpx, so hls4ml's templates "
    "could not be checked, and hls4ml does not say when they are wrong"
)

Result = TypeVar("Result")
Check = Callable[[Path, Target, WindowsDone], tuple[F64, Result]]


def write_and_check(
    network: IntegerNetwork,
    targets: Mapping[Path, Target],
    check: Check[Result],
    n_windows: int,
) -> tuple[F64, list[Result]]:
    """Write every project and check those that g++ compiles.

    Parameters
    ----------
    network
        The network as integers.
    targets
        What goes into which directory; replaced only if every check passes. A oneAPI
        project is not simulated; of an LSTM or a GRU there is only a line that says so.
    check
        Simulates a project, given its directory, its target and a function that counts
        windows; returns its outputs, float64 (n_windows,), scaled, and a comparison.
    n_windows
        For the progress bar.

    Returns
    -------
    The outputs of the first target, and the comparisons, target by target.

    Raises
    ------
    PipelineError
        Whatever writing a project or `check` raises; then no directory is replaced.
    """
    outputs, comparisons = [], []
    with ExitStack() as stack:
        for path, target in targets.items():
            directory = stack.enter_context(replacing_directory(path))
            if target.backend == "oneAPI" and not network.exact:
                write_text(directory / NOT_AVAILABLE, f"{NO_GATED_ONEAPI}\n")
                continue
            write_project(network, target, directory)
            if target.backend == "oneAPI":
                continue
            with tqdm(total=n_windows, desc=target.backend, unit="window", disable=None) as bar:
                simulated, comparison = check(directory, target, bar.update)
            outputs.append(simulated)
            comparisons.append(comparison)
    return outputs[0], comparisons
