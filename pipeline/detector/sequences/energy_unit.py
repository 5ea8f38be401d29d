"""In which unit a file says that its energies are, and the factor that makes them GeV."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.base.files import ArtifactError
from pipeline.base.units import GEV_PER_MEV

ATTRIBUTES = ("unit", "units")
"""Names under which a file says its unit, in any case."""

_GEV = {"ev": 1e-9, "kev": 1e-6, "mev": GEV_PER_MEV, "gev": 1.0, "tev": 1e3}
# In a title other things stand in brackets, too; these are no energy for certain.
_NO_ENERGY = re.compile(r"(adc|dac|counts?|m?v|volts?)( |$)", re.IGNORECASE)
_BRACKETS = re.compile(r"[\[(]([^\[\]()]*)[\])]")


def gev_per_unit(path: Path, key: str, places: Iterable[Mapping[str, str]]) -> float:
    """Return the factor to GeV from the attributes of a dataset and of what it lies in.

    Parameters
    ----------
    path, key
        Named in messages.
    places
        Attributes, the nearest first; the first that say a unit count. None does: GeV.

    Raises
    ------
    ArtifactError
        If the unit is not one of energy, or two attributes of one place differ.
    """
    for said in places:
        factors = {_factor(path, key, name, text) for name, text in said.items()}
        if len(factors) > 1:
            raise ArtifactError(f"{path}: {key}: expected one unit, found {said}")
        if factors:
            return factors.pop()
    return 1.0


def gev_of_titles(path: Path, location: str, titles: Iterable[str]) -> float:
    """Return the factor to GeV from titles such as ``E_{T} [MeV]``; 1 if none says a unit.

    Raises
    ------
    ArtifactError
        If a title says a unit that is not one of energy, or two titles differ.
    """
    found = [text.strip() for title in titles for text in _BRACKETS.findall(title)]
    energies = {text: _GEV[text.lower()] for text in found if text.lower() in _GEV}
    if len(set(energies.values())) > 1:
        raise ArtifactError(f"{path}: {location}: expected one unit, found {sorted(energies)}")
    other = next((text for text in found if _NO_ENERGY.match(text)), None)
    if not energies and other is not None:
        raise _refused(path, location, "title", other)
    return next(iter(energies.values()), 1.0)


def _factor(path: Path, key: str, name: str, text: str) -> float:
    factor = _GEV.get(text.strip("[]() ").lower())
    if factor is None:
        raise _refused(path, key, name, text)
    return factor


def _refused(path: Path, key: str, name: str, text: str) -> ArtifactError:
    return ArtifactError(
        f"{path}: {key}: {name}: expected eV, keV, MeV, GeV or TeV, found {text[:60]!r}"
    )
