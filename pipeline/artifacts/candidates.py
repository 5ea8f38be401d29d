"""``models/candidates.json``: networks of a search as integers, to be built beside each other."""

from __future__ import annotations

from typing import Literal

from pipeline.base.schema import Frozen
from pipeline.integers.network import IntegerNetwork

Kind = Literal["front", "trial", "uniform"]


class Candidate(Frozen):
    """A network that may be built, with the figures that the search has of it.

    Attributes
    ----------
    name
        In reports: ``trial_07``, ``uniform_8``.
    kind
        ``front``, ``trial`` (not on the front) or ``uniform`` (the same bits everywhere).
    energy_pj, weight_bits
        Energy of one inference, QTools' model; bits of all weights.
    bits
        Of the quantizers, by ``layer_tensor`` as in ``metrics/finetune.json``.
    network
        As integers.
    """

    name: str
    kind: Kind
    energy_pj: float
    weight_bits: int
    bits: dict[str, int]
    network: IntegerNetwork


class Candidates(Frozen):
    """Content of ``models/candidates.json``; no candidate of a cell without exact integers."""

    schema_version: Literal[1] = 1
    candidates: list[Candidate]
