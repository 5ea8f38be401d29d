"""Sequences in the ROOT form that the detector simulation of the experiment writes.

One directory per cell, e.g. ``EMB_EMMiddle_0.5125X0.0125``, holds
``0_digitization/`` and ``2_maxfinder/``. The class of the objects in it is not
documented, so whatever holds one value per BC is taken: the contents of a
one-dimensional histogram, the y of a graph, or the only column of a tree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.base.files import ArtifactError

LOCATIONS = (
    "0_digitization/digits_out_sequence_eT",
    "0_digitization/hit_eT_sequence",
    "2_maxfinder/digits_out_sequence_eT",
    "0_digitization/hit_eT_sig_sequence",
)
"""Where samples, truth, OFMax and injected truth lie in the directory of the cell."""


def read_root(path: Path) -> list[NDArray[Any]]:
    """Read the four sequences of the only cell in a ROOT file.

    Parameters
    ----------
    path
        A ROOT file; energies in GeV.

    Returns
    -------
    list of ndarray
        In the order of `LOCATIONS`; type and shape are those of the file.

    Raises
    ------
    ArtifactError
        If the file is missing or broken, holds no cell or several, lacks a sequence,
        or holds one as an object that is not a plain sequence of numbers.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file")
    import uproot  # a second to load, which an HDF5 file does not need

    try:
        # Opened by handle: as a string, a path with "://" or ":" would be parsed.
        with path.open("rb") as handle, uproot.open(handle) as file:
            cell = _only_cell(path, file)
            return [_sequence(path, file, f"{cell}/{location}") for location in LOCATIONS]
    except ArtifactError:
        raise
    except Exception as error:  # uproot reports broken files by many types
        message = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{path}: not a readable ROOT file (truncated?): {message}") from error


def _only_cell(path: Path, file: Any) -> str:
    found = file.keys(recursive=True, cycle=False)
    cells = sorted({key.split("/")[0] for key in found if key.endswith("/0_digitization")})
    if len(cells) != 1:
        raise ArtifactError(
            f"{path}: expected one cell directory with 0_digitization, found {cells}"
        )
    return str(cells[0])


def _sequence(path: Path, file: Any, location: str) -> NDArray[Any]:
    try:
        item = file[location]
    except KeyError as error:
        raise ArtifactError(f"{path}: {location}: missing") from error
    return _values(path, location, item)


def _values(path: Path, location: str, item: Any) -> NDArray[Any]:
    kind = str(item.classname)
    if kind.startswith(("TTree", "TNtuple", "ROOT::RNTuple")):
        columns = item.keys()
        if len(columns) != 1:
            raise ArtifactError(f"{path}: {location}: expected one column, found {columns}")
        return np.asarray(item[columns[0]].array(library="np"))
    if kind.startswith("TGraph"):
        return np.asarray(item.values(axis="y"))
    if kind.startswith("TH1") or kind == "TProfile":
        return np.asarray(item.values())
    raise ArtifactError(
        f"{path}: {location}: expected a histogram, graph or tree with one column, found {kind}"
    )
