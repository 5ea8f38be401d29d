"""Reading ``models/search.json`` and ``models/search.weights.h5``: one trial, or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.base.units import PJ_PER_NJ
from pipeline.quantization.quantizers.hardware import check_exportable
from pipeline.quantization.quantizers.quantizer import QuantizerError
from pipeline.quantization.training.record import (
    ChosenTrial,
    chosen_trial,
    trial_rows,
    uniform_name,
)

Kind = Literal["front", "trial", "uniform"]

# Only trials can be on the front: reference points have no such entry.
_KINDS: dict[bool | None, Kind] = {True: "front", False: "trial", None: "uniform"}


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


def _spread(trials: Sequence[Mapping[str, Any]], points: int) -> list[str]:
    """Names of at most `points` trials of the front, evenly spread along it, ends included."""
    front = sorted((row for row in trials if row["on_front"]), key=lambda row: row["energy_nj"])
    places = np.linspace(0, len(front) - 1, min(points, len(front)))
    return [str(front[int(place)]["trial"]) for place in np.rint(places)]


def _candidate(search: Mapping[str, Any], trial: ChosenTrial, origin: str) -> Candidate:
    row = trial_rows(search)[trial.name]
    try:
        energy_pj, weight_bits = PJ_PER_NJ * float(row["energy_nj"]), int(row["weight_bits"])
    except (KeyError, TypeError, ValueError) as error:
        raise QuantizerError(f"{origin}: {trial.name}: no such figure: {error!r}") from None
    return Candidate(trial, _KINDS[row.get("on_front")], energy_pj, weight_bits)
