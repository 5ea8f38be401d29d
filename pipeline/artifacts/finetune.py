"""``metrics/finetune.json``: the figures of it that other stages read."""

from __future__ import annotations

from pathlib import Path

from pydantic import ConfigDict

from pipeline.base.schema import Frozen

FINETUNE = Path("metrics/finetune.json")


class FinetuneFigures(Frozen):
    """Figures of the fine-tuned network; the file has more.

    Attributes
    ----------
    energy_nj
        Energy of one inference, QTools' model.
    validation_rmse_mev
        RMSE on the validation split.
    weight_bits
        Bits of all weights.
    bits
        Of every quantizer, by name.
    """

    model_config = ConfigDict(extra="ignore")

    energy_nj: float
    validation_rmse_mev: float
    weight_bits: float
    bits: dict[str, int]
