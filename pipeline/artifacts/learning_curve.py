"""``metrics/plots/train.csv`` and ``finetune.csv``: the course of a fit, epoch by epoch."""

from __future__ import annotations

import csv
from pathlib import Path

from pipeline.base.files import ArtifactError
from pipeline.base.schema import Frozen, parse

TRAIN_CURVE = Path("metrics/plots/train.csv")
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


def read_curve(path: Path) -> LearningCurve:
    """Read a curve.

    Raises
    ------
    ArtifactError
        If the file is missing, or a column is missing, empty or holds something else.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: [float(row[name]) for row in rows] for name in LearningCurve.model_fields}
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ArtifactError(f"{path}: not a learning curve: {error}") from error
    if not rows:
        raise ArtifactError(f"{path}: expected at least one epoch, found none")
    return parse(LearningCurve, columns, path)
