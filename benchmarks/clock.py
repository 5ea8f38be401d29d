"""When each epoch of a training ended and how good the network was then."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from benchmarks.compare import Figures
from pipeline.networks.fitting import rmse_mev


class EpochClock(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """A Keras callback that notes the end of each epoch, validation included.

    Parameters
    ----------
    et_scale_gev
        What E_T was divided by.
    start
        `time.perf_counter` before the data were prepared and the model built, s.
    """

    def __init__(self, et_scale_gev: float, start: float) -> None:
        super().__init__()
        self._scale_gev = et_scale_gev
        self.start = start
        self.marks: list[float] = []
        self.rmse_mev: list[float] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start the first epoch, which holds tracing and compilation."""
        self.marks.append(time.perf_counter())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Note the time and the validation RMSE."""
        assert logs is not None
        self.marks.append(time.perf_counter())
        self.rmse_mev.append(rmse_mev(logs["val_loss"], self._scale_gev))

    def figures(self, targets_mev: Sequence[float]) -> Figures:
        """Return seconds, epochs and RMSE of the whole training, and seconds to each target."""
        seconds = np.diff(self.marks)
        return {
            "first_epoch_s": float(seconds[0]),
            "later_epoch_s": float(np.median(seconds[1:])) if len(seconds) > 1 else None,
            "total_s": self.marks[-1] - self.start,
            "epochs": float(len(seconds)),
            "final_rmse_mev": self.rmse_mev[-1],
            "best_rmse_mev": min(self.rmse_mev),
            **{target_key(target): self.seconds_to(target) for target in targets_mev},
        }

    def seconds_to(self, target_mev: float) -> float | None:
        """Return the seconds to the end of the first epoch that is good enough, if any is."""
        for mark, rmse in zip(self.marks[1:], self.rmse_mev, strict=True):
            if rmse <= target_mev:
                return mark - self.start
        return None


def target_key(target_mev: float) -> str:
    """Return the name of the figure `seconds to a target`."""
    return f"to_{target_mev:g}_mev_s"
