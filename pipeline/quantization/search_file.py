"""Reading ``models/search.json`` and ``models/search.weights.h5``: one trial, or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.arrays import F32
from pipeline.artifacts import load_weights
from pipeline.quantization.export import check_exportable
from pipeline.quantization.quantizers import Quantizer, QuantizerError, parse_quantizer
from pipeline.quantization.resizing import network_shapes
from pipeline.units import PJ_PER_NJ

Kind = Literal["front", "trial", "uniform"]

# Only trials can be on the front: reference points have no such entry.
_KINDS: dict[bool | None, Kind] = {True: "front", False: "trial", None: "uniform"}


@dataclass(frozen=True)
class ChosenTrial:
    """A network of ``models/search.json``: its name, quantisers by tensor, and width."""

    name: str
    quantizers: dict[str, Quantizer]
    units: int


@dataclass(frozen=True)
class Candidate:
    """A trial to be built beside others, with the figures that the search has of it.

    Attributes
    ----------
    trial
        The network.
    kind
        ``front``, ``trial`` (not on the front) or ``uniform`` (a reference point).
    energy_pj, weight_bits
        Energy of one inference, QTools' model; bits of all weights.
    """

    trial: ChosenTrial
    kind: Kind
    energy_pj: float
    weight_bits: int

    @property
    def name(self) -> str:
        """Name in reports: ``trial_07``, ``uniform_8``."""
        return self.trial.name if self.kind == "uniform" else f"trial_{self.trial.name}"

    @property
    def bits(self) -> dict[str, int]:
        """Bits of the quantisers, by name as in ``metrics/finetune.json``."""
        return {t.replace("/", "_"): q.bits for t, q in self.trial.quantizers.items()}


def uniform_name(bits: int) -> str:
    """Return the name of a reference point in ``models/search.json``, e.g. ``uniform_8``."""
    return f"uniform_{bits}"


def chosen_trial(
    search: Mapping[str, Any], trial: str | int, origin: str, key: str = "finetune.trial"
) -> ChosenTrial:
    """Return the network that a parameter names.

    Parameters
    ----------
    search
        Content of ``models/search.json``.
    trial
        ``best``, or the name of a trial or reference point; numbers may leave out
        leading zeros.
    origin
        Path of the file, for messages.
    key
        The dotted parameter, for messages.

    Raises
    ------
    QuantizerError
        If the file holds no such trial, or a string that is no quantiser.
    """
    try:
        wanted = str(search["best"] if trial == "best" else trial)
        texts = {
            name: (dict(row["quantizers"]), int(row["units"]))
            for name, row in _rows(search).items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise QuantizerError(f"{origin}: not the result of a search: {error!r}") from None
    names = [name for name in texts if _same_name(name, wanted)]
    if not names:
        raise QuantizerError(
            f"{key}: {trial}: expected best or one of {', '.join(texts)} ({origin})"
        )
    quantizers, units = texts[names[0]]
    return ChosenTrial(
        names[0],
        {t: parse_quantizer(str(text), f"{origin}: {t}") for t, text in quantizers.items()},
        units,
    )


def candidates(
    search: Mapping[str, Any],
    points: int | Sequence[str | int],
    uniform_bits: Sequence[int],
    cell: str,
    origin: str,
) -> list[Candidate]:
    """Return the trials of ``survey.points`` and the reference points of ``survey.uniform_bits``.

    Parameters
    ----------
    search, origin
        As for `chosen_trial`.
    points
        At most so many trials of the front, evenly spread from the cheapest to the
        dearest, or the names of trials. What is named twice counts once.
    uniform_bits
        Bits of reference points.
    cell
        Of the networks.

    Raises
    ------
    QuantizerError
        Naming the parameter: for a trial that is not there, or that is no integer
        network.
    """
    try:
        named = _spread(search["trials"], points) if isinstance(points, int) else points
    except (KeyError, TypeError) as error:
        raise QuantizerError(f"{origin}: not the result of a search: {error!r}") from None
    wanted = [("survey.points", name) for name in named]
    wanted += [("survey.uniform_bits", uniform_name(bits)) for bits in uniform_bits]
    found = {}
    for key, name in wanted:
        trial = chosen_trial(search, name, origin, key)
        try:
            check_exportable(cell, trial.quantizers)
        except QuantizerError as error:
            raise QuantizerError(f"{key}: {trial.name}: {error}") from None
        found[trial.name] = trial
    return [_candidate(search, trial, origin) for trial in found.values()]


def trial_weights(path: Path, search: Mapping[str, Any], name: str, cell: str) -> dict[str, F32]:
    """Return the weights of one trial from ``models/search.weights.h5``."""
    shapes = {
        f"{row['trial']}/{tensor}": shape
        for row in [*search["trials"], *search["uniform"]]
        for tensor, shape in network_shapes(cell, int(row["units"])).items()
    }
    weights = load_weights(path, shapes)
    return {
        key.removeprefix(f"{name}/"): values
        for key, values in weights.items()
        if key.startswith(f"{name}/")
    }


def _rows(search: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """All trials and reference points by name."""
    return {str(row["trial"]): row for row in [*search["trials"], *search["uniform"]]}


def _spread(trials: Sequence[Mapping[str, Any]], points: int) -> list[str]:
    """Names of at most `points` trials of the front, evenly spread along it, ends included."""
    front = sorted((row for row in trials if row["on_front"]), key=lambda row: row["energy_nj"])
    places = np.linspace(0, len(front) - 1, min(points, len(front)))
    return [str(front[int(place)]["trial"]) for place in np.rint(places)]


def _candidate(search: Mapping[str, Any], trial: ChosenTrial, origin: str) -> Candidate:
    row = _rows(search)[trial.name]
    try:
        energy_pj, weight_bits = PJ_PER_NJ * float(row["energy_nj"]), int(row["weight_bits"])
    except (KeyError, TypeError, ValueError) as error:
        raise QuantizerError(f"{origin}: {trial.name}: no such figure: {error!r}") from None
    return Candidate(trial, _KINDS[row.get("on_front")], energy_pj, weight_bits)


def _same_name(name: str, wanted: str) -> bool:
    numbers = name.isdecimal() and wanted.isdecimal()
    return name == wanted or (numbers and int(name) == int(wanted))
