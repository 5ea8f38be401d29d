"""``models/search.json``: what a search chose, every trial, and what they are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.base.files import ArtifactError
from pipeline.base.schema import Frozen

SEARCH = Path("models/search.json")


def uniform_name(bits: int) -> str:
    """Return the name of the network with the same bits everywhere, e.g. ``uniform_8``."""
    return f"uniform_{bits}"


class Trial(Frozen):
    """One quantized network that a search has trained and scored.

    Attributes
    ----------
    trial
        Its name: a number, with the block's name before it where there are several, or
        `uniform_name`.
    quantizers
        QKeras strings by tensor; see `pipeline.base.architecture.quantized_tensors`.
    seed, epochs, learning_rate
        How it was trained; the rate is that of the first epoch.
    score, quality, delta
        What the search maximises; RMSE of the float network / its RMSE; AutoQKeras' delta.
    cost
        What the goal counts: pJ of one inference, or bits.
    energy_nj, weight_bits
        Energy of one inference, QTools' model; bits of all weights.
    validation_rmse_mev
        RMSE on the validation split.
    units
        Width of the recurrent layer.
    dead
        Whether its output is constant, after the first epoch for good or at the end.
    restarts
        New seeds that were drawn because it was dead; its own seed leads to them.
    continues
        The shorter trial whose training this one goes on with.
    starts_rmse_mev
        Lowest RMSE on the validation split of each training of the network; that of the best
        is `validation_rmse_mev`.
    """

    trial: str
    quantizers: dict[str, str]
    seed: int
    epochs: int
    score: float
    quality: float
    delta: float
    cost: float
    energy_nj: float
    weight_bits: float
    validation_rmse_mev: float
    units: int
    learning_rate: float
    dead: bool
    continues: str | None
    restarts: int = 0
    starts_rmse_mev: list[float] = Field(default_factory=list)

    @property
    def typical_rmse_mev(self) -> float:
        """What a network is worth without luck: the mean of the better half of its starts.

        The others began at float networks that no quantizers suit.
        """
        starts = sorted(self.starts_rmse_mev or [self.validation_rmse_mev])
        better = starts[: -(-len(starts) // 2)]
        return sum(better) / len(better)


class RankedTrial(Trial):
    """A trial, and whether no other one is both cheaper and better."""

    on_front: bool


class Baseline(Frozen):
    """What trials are compared with: RMSE of the float network, and the reference cost."""

    validation_rmse_mev: float
    cost: float
    goal: Literal["energy", "bits"]


class SearchResult(Frozen):
    """Content of ``models/search.json``.

    Attributes
    ----------
    best, quantizers, units
        Name, quantizers and width of the chosen trial.
    limit_met
        Whether it is within ``search.goal.max_rmse_ratio``; None without that limit.
    reference
        What trials are compared with.
    trials, uniform
        Completed trials in the order of their blocks and numbers; networks with the same
        bits everywhere.
    failures
        Last line of what went wrong, by name of the trial.
    float_rmse_mev, ofmax_rmse_mev
        RMSE on the validation split: of the float network, and of optimal filter and
        maximum finder.
    """

    schema_version: Literal[1] = 1
    best: str
    quantizers: dict[str, str]
    units: int
    limit_met: bool | None
    reference: Baseline
    trials: list[RankedTrial]
    uniform: list[Trial]
    failures: dict[str, str]
    float_rmse_mev: float
    ofmax_rmse_mev: float

    @property
    def networks(self) -> dict[str, Trial]:
        """All trials and uniform networks by name."""
        return {row.trial: row for row in [*self.trials, *self.uniform]}

    @property
    def front(self) -> list[RankedTrial]:
        """The trials on the front, from the cheapest in energy on."""
        return sorted((row for row in self.trials if row.on_front), key=lambda row: row.energy_nj)

    def network(self, name: str | int, key: str) -> Trial:
        """Return the network that a parameter names.

        Parameters
        ----------
        name
            ``best``, or the name of a trial or uniform network; numbers may leave out
            leading zeros.
        key
            The dotted parameter, for messages.

        Raises
        ------
        ArtifactError
            If there is none of that name.
        """
        wanted = self.best if name == "best" else str(name)
        for other, network in self.networks.items():
            if _same_name(other, wanted):
                return network
        raise ArtifactError(
            f"{key}: {name}: expected best or one of {', '.join(self.networks)} ({SEARCH})"
        )


def _same_name(name: str, wanted: str) -> bool:
    numbers = name.isdecimal() and wanted.isdecimal()
    return name == wanted or (numbers and int(name) == int(wanted))
