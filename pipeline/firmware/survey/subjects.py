"""The networks that a survey compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
        Of the quantisers of ``rnn_kernel``, ``rnn_recurrent_kernel`` and ``rnn_state``.
    """

    name: str
    kind: str
    network: IntegerNetwork
    energy_pj: float
    weight_bits: int
    bits: Mapping[str, int]

    @property
    def units(self) -> int:
        """Units of the recurrent layer."""
        return self.network.rnn.units


def finetuned(network: IntegerNetwork, metrics: Mapping[str, Any]) -> Subject:
    """Return the fine-tuned network with the figures of ``metrics/finetune.json``.

    Raises
    ------
    SurveyError
        If a figure is missing.
    """
    try:
        energy_pj = PJ_PER_NJ * float(metrics["energy_nj"])
        weight_bits, bits = int(metrics["weight_bits"]), dict(metrics["bits"])
    except (KeyError, TypeError, ValueError) as error:
        raise SurveyError(f"metrics of finetune: no such figure: {error!r}") from None
    return Subject("finetuned", "finetuned", network, energy_pj, weight_bits, bits)
