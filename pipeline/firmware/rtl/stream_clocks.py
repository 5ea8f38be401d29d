"""What enters a streaming core clock by clock, and what has to come out.

Not every clock brings a sample, and not every sample comes in its turn: a random stream has
empty clocks, samples out of turn, numbers of no cell, and resets while energies are under way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts.design import RtlDesign
from pipeline.base.arrays import I64

_WINDOWS_PER_DISTURBANCE = 1000
_FEWEST_DISTURBANCES = 6  # two of each kind: resets come in two forms


@dataclass(frozen=True)
class StreamClocks:
    """What enters the streaming core, one entry a clock.

    Attributes
    ----------
    valid
        bool (n,): whether a sample comes.
    cell
        int64 (n,): its cell.
    sample
        int64 (n,): integers of the network's input type.
    reset
        bool (n,): whether the core is reset; a sample of that clock is lost.
    """

    valid: NDArray[np.bool_]
    cell: I64
    sample: I64
    reset: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of clocks."""
        return len(self.valid)


def random_stream(
    samples: I64,
    design: RtlDesign,
    n_windows: int,
    gap_probability: float,
    seed: int,
    disturbances: int | None = None,
) -> StreamClocks:
    """Clocks for at least `n_windows` complete windows, cells in turn but for disturbances.

    Parameters
    ----------
    samples
        int64 (n,); each cell gets its own stretch, as often as needed.
    design
        Cells, window length and latency of the core.
    n_windows
        Exactly so many, unless disturbances leave runs of less than one window each.
    gap_probability
        Of an empty clock beside a sample. It carries a random sample and cell, which
        must not matter.
    seed
        Of everything that is random.
    disturbances
        How often the turns are broken; one in `_WINDOWS_PER_DISTURBANCE` windows, at
        least six, if left out. In this order and again, ending with a reset: a skipped
        turn, a number of no cell (where the width of ``cell_id`` has one), a reset. Each
        other reset lasts one clock and hits a complete window, the rest three clocks and
        a wrong turn.
    """
    rng = np.random.default_rng(seed)
    if disturbances is None:
        disturbances = max(_FEWEST_DISTURBANCES, n_windows // _WINDOWS_PER_DISTURBANCE)
    history = (design.window_length - 1) * design.cells
    stream, first = _Stream(samples, design, rng), 0
    for left in range(disturbances, 0, -1):
        stream.run(first, n_windows // (disturbances + 1) + history)
        first = (stream.reset, stream.no_cell, stream.skip)[(left - 1) % 3](left)
    before = stream.with_gaps(gap_probability)
    missing = max(0, n_windows - int(expected_stream(before, design)[0].sum()))
    stream = _Stream(samples, design, rng)
    stream.run(first, missing + history)
    return _joined(before, stream.with_gaps(gap_probability))


def expected_stream(
    clocks: StreamClocks, design: RtlDesign
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], I64]:
    """Say what the streaming core has to say, from its definition and not from its registers.

    A run is a longest sequence of samples in turn, without a reset. A sample has a complete
    window if it is not the first of its run's samples of that cell, nor the second, ...: if
    ``window_length - 1`` of its cell came before it in the run. A reset also drops the energies
    that are under way: those of the ``latency_cycles`` clocks that end with it.

    Returns
    -------
    Per clock: is a window complete whose energy comes out, was a turn broken; and the
    windows in order, int64 (m, window_length).
    """
    complete = np.zeros(len(clocks), dtype=bool)
    broken = np.zeros(len(clocks), dtype=bool)
    windows: dict[int, list[int]] = {}
    histories: dict[int, list[int]] = {}
    before: int | None = None
    for clock in np.flatnonzero(clocks.valid | clocks.reset):
        if clocks.reset[clock]:
            complete[max(0, clock - design.latency_cycles + 1) : clock] = False
            histories, before = {}, None
            continue
        cell, sample = int(clocks.cell[clock]), int(clocks.sample[clock])
        legal = cell < design.cells
        if not legal or (before is not None and cell != (before + 1) % design.cells):
            broken[clock] = True
            histories = {}
        before = cell if legal else None
        if legal:
            history = [*histories.get(cell, []), sample][-design.window_length :]
            histories[cell] = history
            if len(history) == design.window_length and not broken[clock]:
                complete[clock] = True
                windows[int(clock)] = history
    kept = [windows[clock] for clock in np.flatnonzero(complete)]
    return complete, broken, np.array(kept, np.int64).reshape(-1, design.window_length)


class _Stream:
    """Samples and resets one after the other, still without gaps."""

    def __init__(self, samples: I64, design: RtlDesign, rng: np.random.Generator) -> None:
        self._samples, self._design, self._rng = samples, design, rng
        self._parts: list[StreamClocks] = []
        self._next = 0  # whose turn it is

    def run(self, first: int, length: int) -> None:
        """Add samples in turn, from the cell `first` on."""
        cells = self._design.cells
        places = np.arange(length)
        cell = (first + places) % cells
        offsets = self._rng.integers(0, len(self._samples), cells)
        chosen = self._samples[(offsets[cell] + places // cells) % len(self._samples)]
        self._add(cell, chosen)
        self._next = int((first + length) % cells)

    def reset(self, left: int) -> int:
        """Add a reset, in the form that the number `left` chooses; return the cell after it."""
        cells, in_turn = self._design.cells, left % 2 == 0
        hit = self._next if in_turn else self._wrong_cell()
        cell = np.array([hit] if in_turn else [hit, *self._rng.integers(0, cells, 2)])
        self._add(cell, self._rng.choice(self._samples, len(cell)), reset=True)
        return self._other_cell(0)

    def no_cell(self, left: int) -> int:
        """Add a sample of a number that no cell has; return the cell after it."""
        if self._design.cells == 1 << self._design.cell_bits:
            return self.skip(left)
        numbers = self._design.cells, 1 << self._design.cell_bits
        self._add(self._rng.integers(*numbers, 1), self._rng.choice(self._samples, 1))
        return int(self._rng.integers(0, self._design.cells))

    def skip(self, left: int) -> int:
        """Add nothing; return a cell whose turn it is not."""
        return self._other_cell(self._next)

    def with_gaps(self, probability: float) -> StreamClocks:
        """Everything so far, with random clocks between that bring nothing."""
        full = _joined(*self._parts)
        n_clocks = len(full) + int(self._rng.binomial(len(full), probability))
        valid, reset = np.zeros((2, n_clocks), dtype=bool)
        cell = self._rng.integers(0, self._design.cells, n_clocks)
        sample = self._rng.choice(self._samples, n_clocks)
        kept = np.sort(self._rng.permutation(n_clocks)[: len(full)])
        valid[kept], reset[kept] = full.valid, full.reset
        cell[kept], sample[kept] = full.cell, full.sample
        return StreamClocks(valid, cell, sample, reset)

    def _add(self, cell: I64, sample: I64, reset: bool = False) -> None:
        ones = np.ones(len(cell), dtype=bool)
        self._parts.append(StreamClocks(ones, cell, sample, ones & reset))

    def _other_cell(self, than: int) -> int:
        """Another cell than one, if there are several."""
        cells = self._design.cells
        return (than + 1 + int(self._rng.integers(0, max(1, cells - 1)))) % cells

    def _wrong_cell(self) -> int:
        """Return a number whose turn it is not: of no cell, if there is one."""
        cells = self._design.cells
        return cells if cells < 1 << self._design.cell_bits else self._other_cell(self._next)


def _joined(*parts: StreamClocks) -> StreamClocks:
    """Join streams one behind the other; none give one of no clocks."""
    if not parts:
        none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
        return StreamClocks(nothing, none, none, nothing)
    return StreamClocks(
        np.concatenate([part.valid for part in parts]),
        np.concatenate([part.cell for part in parts]),
        np.concatenate([part.sample for part in parts]),
        np.concatenate([part.reset for part in parts]),
    )
