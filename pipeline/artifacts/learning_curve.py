"""``metrics/plots/train.csv``, ``train_starts.csv``, ``finetune.csv``: fits, epoch by epoch."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.base.files import ArtifactError
from pipeline.base.schema import Frozen, parse

TRAIN_CURVE = Path("metrics/plots/train.csv")
TRAIN_STARTS = Path("metrics/plots/train_starts.csv")
FINETUNE_CURVE = Path("metrics/plots/finetune.csv")


class LearningCurve(Frozen):
    """Columns of one value an epoch; a network that was given has one row, epoch 0.

    Attributes
    ----------
    epoch
        From 1 on.
    train_rmse_mev, validation_rmse_mev
        RMSE in the epoch, and after it.
    learning_rate
        Of the epoch.
    """

    epoch: list[float]
    train_rmse_mev: list[float]
    validation_rmse_mev: list[float]
    learning_rate: list[float]


class StartCurves(Frozen):
    """All starts of a fit, one below the other.

    Attributes
    ----------
    start, epoch
        Both from 1 on.
    validation_rmse_mev
        After the epoch.
    """

    start: list[float]
    epoch: list[float]
    validation_rmse_mev: list[float]

    def by_start(self) -> list[tuple[list[float], list[float]]]:
        """Return epochs and errors of each start."""
        rows = list(zip(self.start, self.epoch, self.validation_rmse_mev, strict=True))
        curves = []
        for number in sorted(set(self.start)):
            _, epoch, error = zip(*(row for row in rows if row[0] == number), strict=True)
            curves.append((list(epoch), list(error)))
        return curves


@dataclass(frozen=True)
class TrainingCurves:
    """How the float network, all its starts, and the quantized network were trained."""

    train: LearningCurve
    starts: StartCurves
    finetune: LearningCurve

    @classmethod
    def read(cls) -> TrainingCurves:
        """Read the three files; see `read_curves`."""
        return cls(
            read_curves(LearningCurve, TRAIN_CURVE),
            read_curves(StartCurves, TRAIN_STARTS),
            read_curves(LearningCurve, FINETUNE_CURVE),
        )


Curves = TypeVar("Curves", LearningCurve, StartCurves)


def read_curves(schema: type[Curves], path: Path) -> Curves:
    """Read a curve, or those of all starts.

    Raises
    ------
    ArtifactError
        If the file is missing, or a column is missing, empty or holds something else.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: [float(row[name]) for row in rows] for name in schema.model_fields}
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ArtifactError(f"{path}: not a learning curve: {error}") from error
    if not rows:
        raise ArtifactError(f"{path}: expected at least one epoch, found none")
    return parse(schema, columns, path)
