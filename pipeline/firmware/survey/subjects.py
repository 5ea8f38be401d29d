"""The networks that a survey compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.artifacts.candidates import Candidate
from pipeline.artifacts.finetune import FinetuneFigures
from pipeline.artifacts.survey import Kind
from pipeline.base.errors import PipelineError
from pipeline.base.units import PJ_PER_NJ
from pipeline.integers.network import IntegerNetwork


class SurveyError(PipelineError):
    """A network that cannot be built, or whose RTL or netlist is not the network."""


@dataclass(frozen=True)
class Subject:
    """A network to be built.

    Attributes
    ----------
    name
        In metrics, tables and figures.
    kind
        ``finetuned``, ``front``, ``trial`` or ``uniform``.
    network
        As integers.
    energy_pj, weight_bits
        Energy of one inference, QTools' model; bits of all weights.
    bits
        Of every quantizer, by name.
    """

    name: str
    kind: Kind
    network: IntegerNetwork
    energy_pj: float
    weight_bits: int
    bits: Mapping[str, int]

    @property
    def units(self) -> int:
        """Units of the recurrent layer."""
        return self.network.rnn.units


def finetuned(network: IntegerNetwork, figures: FinetuneFigures) -> Subject:
    """Return the fine-tuned network with the figures of its stage."""
    energy_pj, weight_bits = PJ_PER_NJ * figures.energy_nj, int(figures.weight_bits)
    return Subject("finetuned", "finetuned", network, energy_pj, weight_bits, figures.bits)


def searched(candidate: Candidate) -> Subject:
    """Return a network of the search."""
    return Subject(
        candidate.name,
        candidate.kind,
        candidate.network,
        candidate.energy_pj,
        candidate.weight_bits,
        candidate.bits,
    )
