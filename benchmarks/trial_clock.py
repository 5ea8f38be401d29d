"""What a trial costs: before and between its epochs, and in them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.compare import Figures


@dataclass
class TrialTime:
    """One trial: `perf_counter` at its begin, after each epoch with validation, at its end."""

    begin: float
    epochs: list[float] = field(default_factory=list)
    end: float = 0.0


class TrialClock:
    """Notes when trials and their epochs end; what happens between trials is not theirs."""

    def __init__(self) -> None:
        self.trials: list[TrialTime] = []
        self._running = False

    def around(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does what `run` does, timed as one trial."""

        def timed(*arguments: Any, **options: Any) -> Any:
            self.trials.append(TrialTime(time.perf_counter()))
            self._running = True
            try:
                return run(*arguments, **options)
            finally:
                self._running = False
                self.trials[-1].end = time.perf_counter()

        return timed

    def epoch_ended(self) -> None:
        """Note the end of an epoch, if it is one of a trial."""
        if self._running:
            self.trials[-1].epochs.append(time.perf_counter())

    def figures(self) -> Figures:
        """Return medians: seconds of an epoch, and of everything else in a trial.

        Only epochs after another one count as such: the first holds tracing and
        compilation, which belong to the rest, the fixed cost. Without a trial of two
        epochs both are None.
        """
        later = [b - a for t in self.trials for a, b in zip(t.epochs, t.epochs[1:], strict=False)]
        if not later:
            return {"epoch_s": None, "fixed_s": None}
        epoch_s = statistics.median(later)
        fixed = [t.end - t.begin - len(t.epochs) * epoch_s for t in self.trials]
        return {"epoch_s": epoch_s, "fixed_s": statistics.median(fixed)}


def extrapolated(figures: Figures, plan: Sequence[tuple[int, int]]) -> float | None:
    """Return the seconds of a search that was not run.

    Parameters
    ----------
    figures
        ``epoch_s`` and ``fixed_s``.
    plan
        Trials and the epochs that each of them makes; a training that stops and goes on
        pays its fixed cost twice.
    """
    epoch_s, fixed_s = figures["epoch_s"], figures["fixed_s"]
    if epoch_s is None or fixed_s is None:
        return None
    return sum(trials * (fixed_s + epochs * epoch_s) for trials, epochs in plan)
