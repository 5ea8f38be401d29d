"""Whether the sizes of energies make sense: units that no file names, and values no BC can have."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.base.errors import say
from pipeline.base.files import ArtifactError
from pipeline.base.units import MEV_PER_GEV
from pipeline.detector.sequences.sequence_file import KEYS, SequenceReader

# Scaled values beyond this have squares whose sum over a batch leaves the range of float32 soon,
# and no BC has 16 PeV.
MOST_SCALED = 1e6
_APART = 300.0  # of the largest values: a factor 1000 with room for noise and for saturation
_RMS_APART = 100.0  # and of the RMS: one large value makes no unit
_LARGE, _SMALL = 10.0, 1e-3  # the largest truth, scaled: outside it is doubted


class _Size(NamedTuple):
    """How large the values of one sequence are, GeV."""

    largest: float
    rms: float


def check_scale(path: Path, reader: SequenceReader, et_scale_gev: float) -> None:
    """Refuse energies that are certainly wrong; doubt others in a line on stderr.

    Parameters
    ----------
    path
        Named in messages.
    reader
        The file.
    et_scale_gev
        What E_T will be divided by.

    Raises
    ------
    ArtifactError
        For a value above `MOST_SCALED` times the scale, naming its BC, or for samples or an
        optimal filter that are in another unit than the truth.
    """
    sizes = dict(zip(KEYS, _sizes(path, reader, et_scale_gev), strict=True))
    samples, truth, ofmax, injected = KEYS
    for key in (samples, ofmax, injected):
        _same_unit(path, (key, sizes[key]), (truth, sizes[truth]))
    largest = sizes[truth].largest
    if largest and not _SMALL <= largest / et_scale_gev <= _LARGE:
        say(
            f"warning: {path}: {truth}: the largest is {largest:.4g} GeV, "
            f"{largest / et_scale_gev:.3g} times prepare.et_scale_gev ({et_scale_gev:g}): give "
            "the datasets an attribute `unit` if they are not in GeV, else set "
            "prepare.et_scale_gev to the range of the data",
        )


def _sizes(path: Path, reader: SequenceReader, et_scale_gev: float) -> list[_Size]:
    most = MOST_SCALED * et_scale_gev
    largest, squares, first = np.zeros(len(KEYS)), np.zeros(len(KEYS)), 0
    for chunk in reader.chunks():
        for place, (key, values) in enumerate(zip(KEYS, chunk, strict=True)):
            size = np.abs(values.astype(np.float64))
            if size.max() > most:
                bc = int(np.argmax(size > most))
                raise ArtifactError(
                    f"{path}: {key}: expected E_T within {most:g} GeV, {MOST_SCALED:g} times "
                    f"prepare.et_scale_gev, found {float(values[bc]):g} GeV in BC {first + bc}"
                )
            largest[place] = max(largest[place], size.max())
            squares[place] += np.square(size).sum()
        first += chunk.dig_et_gev.size
    rms = np.sqrt(squares / reader.n_bc)
    return [_Size(float(a), float(b)) for a, b in zip(largest, rms, strict=True)]


def _same_unit(path: Path, one: tuple[str, _Size], truth: tuple[str, _Size]) -> None:
    """Refuse two sequences that are about a factor 1000 apart; one of zeros says nothing."""
    (_, a), (_, b) = one, truth
    if not (a.largest and b.largest):
        return
    larger, smaller = (one, truth) if a.largest > b.largest else (truth, one)
    (name, high), (other, low) = larger, smaller
    if high.largest > _APART * low.largest and high.rms > _RMS_APART * low.rms:
        raise ArtifactError(
            f"{path}: {name} and {other}: expected one unit, found an RMS of {high.rms:.4g} GeV "
            f"and {low.rms:.4g} GeV, as if one were in MeV (a factor {MEV_PER_GEV:g}): give each "
            "dataset its attribute `unit`"
        )
