"""``models/search.json``: every trial of a search, written and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.base.architecture import network_shapes
from pipeline.base.arrays import F32
from pipeline.base.weights import load_weights
from pipeline.quantization.quantizers.quantizer import Quantizer, QuantizerError, parse_quantizer


@dataclass(frozen=True)
class ChosenTrial:
    """A network of ``models/search.json``: its name, quantisers by tensor, and width."""

    name: str
    quantizers: dict[str, Quantizer]
    units: int


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
            for name, row in trial_rows(search).items()
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


def trial_rows(search: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """All trials and reference points by name."""
    return {str(row["trial"]): row for row in [*search["trials"], *search["uniform"]]}


def _same_name(name: str, wanted: str) -> bool:
    numbers = name.isdecimal() and wanted.isdecimal()
    return name == wanted or (numbers and int(name) == int(wanted))


@dataclass(frozen=True)
class TrialRecord:
    """What ``models/search.json`` keeps of one completed trial."""

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
    dead: bool  # its output was constant after the first epoch
    continues: str | None = None  # the shorter trial whose training this one goes on with

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)
