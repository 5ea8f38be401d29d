"""Predictions on the test windows, handed from stage to stage.

A prediction file is NPY: float32, one value per window of the test split, in
units of the E_T scale. What is read may come from anywhere and is checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base.arrays import F32
from pipeline.base.files import ArtifactError, replacing

FLOAT_TEST = Path("data/float_test.npy")
QUANTIZED_TEST = Path("data/quantized_test.npy")
FIRMWARE_TEST = Path("data/firmware_test.npy")


def write_predictions(path: Path, outputs: NDArray[Any]) -> None:
    """Write float (n_windows,) outputs as a float32 NPY file, never pickled."""
    with replacing(path) as temporary, temporary.open("wb") as handle:
        np.save(handle, outputs.astype(np.float32), allow_pickle=False)


def read_predictions(path: Path, n_windows: int) -> F32:
    """Read one prediction file.

    Parameters
    ----------
    path
        An NPY file.
    n_windows
        Windows in the test split.

    Returns
    -------
    numpy.ndarray
        float32 (n_windows,), E_T in units of the scale, all finite.

    Raises
    ------
    ArtifactError
        If the file is missing or no NPY file, or holds anything but finite
        float32 numbers, one per window. Pickled objects are refused: loading
        one would run its code.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file")
    try:
        values: Any = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"{path}: not a readable NPY file (truncated?): {error}") from error
    if not isinstance(values, np.ndarray):
        raise ArtifactError(f"{path}: expected one NPY array, found an archive")
    if values.dtype != np.float32:
        raise ArtifactError(f"{path}: expected float32, found {values.dtype}")
    if values.shape != (n_windows,):
        raise ArtifactError(
            f"{path}: expected shape ({n_windows},), one value per test window, "
            f"found {values.shape}"
        )
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        raise ArtifactError(
            f"{path}: expected finite values, found {wrong.size} that are not, "
            f"the first at window {wrong[0]}"
        )
    return values
