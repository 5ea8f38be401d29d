"""Sequences in the ROOT form that the detector simulation of the experiment writes.

One directory per cell, e.g. ``EMB_EMMiddle_0.5125X0.0125``, at any depth, holds
``0_digitization/`` and ``2_maxfinder/``. The class of the objects in it is not
documented, so whatever holds one value per BC is taken: the contents of a
one-dimensional histogram, the y of a graph, or the only column of a tree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.base.files import ArtifactError
from pipeline.detector.sequences.energy_unit import gev_of_titles

_DIGITIZATION = "0_digitization"
LOCATIONS = (
    "0_digitization/digits_out_sequence_eT",
    "0_digitization/hit_eT_sequence",
    "2_maxfinder/digits_out_sequence_eT",
    "0_digitization/hit_eT_sig_sequence",
)
"""Where samples, truth, OFMax and injected truth lie in the directory of the cell."""


class Column(NamedTuple):
    """A sequence as the file has it, and what makes it GeV."""

    values: NDArray[Any]
    gev_per_unit: float


def read_root(path: Path) -> list[Column]:
    """Read the four sequences of the only cell in a ROOT file.

    Parameters
    ----------
    path
        A ROOT file; energies in GeV, or in the unit that titles name in brackets.

    Returns
    -------
    list of Column
        In the order of `LOCATIONS`; type and shape are those of the file.

    Raises
    ------
    ArtifactError
        If the file is missing or broken, holds no cell or several, lacks a sequence,
        holds one as an object that is not a plain sequence of numbers, or in no unit of energy.
    """
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file")
    import uproot  # a second to load, which an HDF5 file does not need

    try:
        # Opened by handle: as a string, a path with "://" or ":" would be parsed.
        with path.open("rb") as handle, uproot.open(handle) as file:
            cell = _only_cell(path, file)
            return [_sequence(path, file, f"{cell}{location}") for location in LOCATIONS]
    except ArtifactError:
        raise
    except Exception as error:  # uproot reports broken files by many types
        message = " ".join(str(error).split())[:200]
        raise ArtifactError(f"{path}: not a readable ROOT file (truncated?): {message}") from error


def _only_cell(path: Path, file: Any) -> str:
    """Return the directory of the cell, with a slash at its end; none if it is the file itself."""
    found = file.keys(recursive=True, cycle=False)
    cells = sorted(
        {
            key.removesuffix(_DIGITIZATION)
            for key in found
            if key == _DIGITIZATION or key.endswith(f"/{_DIGITIZATION}")
        }
    )
    if len(cells) != 1:
        raise ArtifactError(
            f"{path}: expected one cell directory with {_DIGITIZATION}, found {cells}"
        )
    return str(cells[0])


def _sequence(path: Path, file: Any, location: str) -> Column:
    try:
        item = file[location]  # of several cycles, the latest
    except KeyError as error:
        raise ArtifactError(f"{path}: {location}: missing") from error
    return _column(path, location, item)


def _column(path: Path, location: str, item: Any) -> Column:
    kind = str(item.classname)
    title = str(getattr(item, "title", None) or "")
    if kind.startswith(("TTree", "TNtuple", "ROOT::RNTuple")):
        columns = item.keys()
        if len(columns) != 1:
            raise ArtifactError(f"{path}: {location}: expected one column, found {columns}")
        branch = item[columns[0]]
        titles = [title, str(getattr(branch, "title", None) or ""), str(columns[0])]
        values = branch.array(library="np")
    elif kind.startswith("TGraph"):
        titles, values = [title], item.values(axis="y")
    elif kind.startswith("TH1") or kind == "TProfile":
        axis = item.all_members.get("fYaxis")
        titles = [title, str(axis.all_members.get("fTitle") or "") if axis is not None else ""]
        values = item.values()
    else:
        raise ArtifactError(
            f"{path}: {location}: expected a histogram, graph or tree with one column, found {kind}"
        )
    return Column(np.asarray(values), gev_of_titles(path, location, titles))
