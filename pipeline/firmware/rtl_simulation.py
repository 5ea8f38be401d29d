"""The RTL against the golden model: the network, and the streaming core clock by clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import PipelineError
from pipeline.firmware import golden
from pipeline.firmware.compare import Comparison, compare, require_agreement
from pipeline.firmware.fixed_point import dequantize
from pipeline.firmware.rtl_project import RtlDesign
from pipeline.firmware.verilator import U32, Harness, compiled
from pipeline.integer_network import I64, FixedPointType, IntegerNetwork

GOLDEN = "golden"
_SPARE_CLOCKS = 8
_WORD = 32


class RtlMismatchError(PipelineError):
    """RTL whose timing is not what its description says."""


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
    """

    valid: NDArray[np.bool_]
    cell: I64
    sample: I64


def check_network(
    network: IntegerNetwork,
    design: RtlDesign,
    files: Sequence[Path],
    integers: I64,
    name: str = "rtl",
) -> tuple[Comparison, int]:
    """Simulate one window a clock and compare every energy with the golden model.

    Parameters
    ----------
    network
        The network as integers.
    design
        What the Verilog in `files` says it is.
    files
        All Verilog of the network.
    integers
        int64 (n, window_length), of the input type.
    name
        What the evaluator is called in messages.

    Returns
    -------
    The comparison, and the latency in clocks that was read from the simulation.

    Raises
    ------
    MismatchError
        Naming the first window and both energies.
    RtlMismatchError
        If the latency is not that of `design`.
    """
    expected = golden.evaluate_integers(network, integers)
    hold = design.latency_cycles + _SPARE_CLOCKS
    low, high = int(expected.argmin()), int(expected.argmax())
    if expected[low] == expected[high]:
        raise RtlMismatchError("all windows have one energy: no latency can be read")
    order = np.concatenate([np.full(hold, low), np.full(hold, high), np.arange(len(integers))])
    flush = np.full(hold, len(integers) - 1)
    words = _packed(integers, network.input)[np.concatenate([order, flush])]
    with compiled(files, _network_harness(design)) as simulation:
        found = _signed(simulation.run(words)[:, 0], golden.output_type(network))
    latency = _edges_until_change(found[: 2 * hold], hold, name)
    if latency != design.latency_cycles:
        raise RtlMismatchError(
            f"{name}: the energy comes after {latency} clocks, expected {design.latency_cycles}"
        )
    first = 2 * hold + latency - 1
    _, comparison = _compared(network, expected, found[first : first + len(integers)], name)
    return comparison, latency


def check_stream(
    network: IntegerNetwork,
    design: RtlDesign,
    files: Sequence[Path],
    clocks: StreamClocks,
    name: str = "stream",
    optimise: bool = True,
) -> Comparison:
    """Simulate the streaming core and compare flags, cells and energies, clock by clock.

    `optimise` is for `pipeline.firmware.verilator.compiled`.

    Raises
    ------
    RtlMismatchError
        Naming the first clock whose flags or cell are wrong.
    MismatchError
        Naming the first window, counted over the stream, with a wrong energy.
    """

    def simulate(rows: U32) -> U32:
        with compiled(files, _stream_harness(design), optimise) as simulation:
            return simulation.run(rows)

    return compare_stream(network, design, clocks, simulate, name)


def compare_stream(
    network: IntegerNetwork,
    design: RtlDesign,
    clocks: StreamClocks,
    simulate: Callable[[U32], U32],
    name: str,
) -> Comparison:
    """Compare what a simulator makes of a stream, clock by clock; see `check_stream`.

    `simulate` takes uint32 (n, 3), one row a clock: valid + 2 * reset, cell, sample; it
    returns uint32 (n, 3): energy_valid + 2 * out_of_turn, cell, energy, after the edge.
    """
    complete, out_of_turn, windows = expected_stream(clocks, design)
    n, latency = len(clocks.valid), design.latency_cycles
    rows = np.zeros((n + latency + 1, 3), dtype=np.uint32)
    rows[0, 0] = 2  # reset
    rows[1 : n + 1, 0] = clocks.valid
    rows[1 : n + 1, 1] = clocks.cell
    rows[1 : n + 1, 2] = clocks.sample & ((1 << design.sample_bits) - 1)
    found = simulate(rows)
    _same(found[1 : n + 1, 0] >> 1, out_of_turn, "out_of_turn", name)
    late = found[latency : latency + n]
    _same(late[:, 0] & 1, complete, "energy_valid", name)
    _same(np.where(complete, late[:, 1], 0), np.where(complete, clocks.cell, 0), "cell_out", name)
    expected = golden.evaluate_integers(network, windows)
    energies = _signed(late[complete, 2], golden.output_type(network))
    return _compared(network, expected, energies, name)[1]


def random_stream(
    samples: I64, cells: int, n_windows: int, length: int, gap_probability: float, seed: int
) -> StreamClocks:
    """Clocks for at least `n_windows` complete windows, cells in turn, with random gaps.

    Each cell gets its own stretch of `samples`, int64 (n,), as often as needed; gaps
    carry random samples and cells, which must not matter.
    """
    rng = np.random.default_rng(seed)
    n_samples = n_windows + (length - 1) * cells
    turns = -(-n_samples // cells)
    offsets = rng.integers(0, len(samples), cells)
    places = (np.arange(turns)[:, None] + offsets[None, :]) % len(samples)
    in_turn = samples[places].ravel()[:n_samples]
    n_clocks = n_samples + int(rng.binomial(n_samples, gap_probability))
    valid = np.zeros(n_clocks, dtype=bool)
    valid[rng.permutation(n_clocks)[:n_samples]] = True
    cell = rng.integers(0, cells, n_clocks)
    cell[valid] = np.arange(n_samples) % cells
    sample = rng.choice(samples, n_clocks)
    sample[valid] = in_turn
    return StreamClocks(valid, cell, sample)


def expected_stream(
    clocks: StreamClocks, design: RtlDesign
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], I64]:
    """Say what the streaming core has to say, from its definition and not from its registers.

    A run is a longest sequence of samples in turn. A sample has a complete window if it
    is not the first of its run's samples of that cell, nor the second, ...: if
    ``window_length - 1`` of its cell came before it in the run.

    Returns
    -------
    Per clock: is a window complete, was a turn broken; and the windows in order,
    int64 (m, window_length).
    """
    complete = np.zeros(len(clocks.valid), dtype=bool)
    broken = np.zeros(len(clocks.valid), dtype=bool)
    windows: list[list[int]] = []
    histories: dict[int, list[int]] = {}
    before: int | None = None
    for clock in np.flatnonzero(clocks.valid):
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
                windows.append(history)
    return complete, broken, np.array(windows, np.int64).reshape(-1, design.window_length)


def _compared(
    network: IntegerNetwork, expected: I64, found: I64, name: str
) -> tuple[I64, Comparison]:
    of = golden.output_type(network)
    comparison = compare(network, (GOLDEN, dequantize(expected, of)), (name, dequantize(found, of)))
    require_agreement(comparison, 0.0, "the RTL does not name its inner tensors")
    return found, comparison


def _network_harness(design: RtlDesign) -> Harness:
    words = -(-design.window_length * design.sample_bits // _WORD)
    return Harness(
        design.top, words, 1, "put(dut->window, words);", "found[0] = uint32_t(dut->energy);"
    )


def _stream_harness(design: RtlDesign) -> Harness:
    drive = (
        "dut->valid = words[0] & 1; dut->reset = words[0] >> 1; "
        "dut->cell_id = words[1]; dut->sample = words[2];"
    )
    sample = (
        "found[0] = dut->energy_valid | (uint32_t(dut->out_of_turn) << 1); "
        "found[1] = dut->cell_out; found[2] = uint32_t(dut->energy);"
    )
    return Harness(f"{design.top}_stream", 3, 3, drive, sample)


def _packed(integers: I64, of: FixedPointType) -> U32:
    """Windows as little-endian words: the oldest sample in the lowest bits."""
    length = integers.shape[1]
    shifts = np.arange(of.bits)
    bits = (integers[:, :, None] >> shifts) & 1
    flat = bits.astype(np.uint8).reshape(len(integers), length * of.bits)
    n_words = -(-flat.shape[1] // _WORD)
    padded = np.zeros((len(flat), n_words * _WORD), dtype=np.uint8)
    padded[:, : flat.shape[1]] = flat
    return np.packbits(padded, axis=1, bitorder="little").view("<u4").astype(np.uint32)


def _signed(words: U32, of: FixedPointType) -> I64:
    """Read raw energy words as integers of their type."""
    values = words.astype(np.int64) & ((1 << of.bits) - 1)
    if not of.signed:
        return values
    sign = np.int64(1 << (of.bits - 1))
    result: I64 = (values ^ sign) - sign
    return result


def _edges_until_change(found: I64, change: int, name: str) -> int:
    """Clock edges from a step at the input, at clock `change`, to the step at the output."""
    differing = np.flatnonzero(found[change:] != found[change - 1])
    if differing.size == 0:
        raise RtlMismatchError(f"{name}: the energy does not follow the window")
    return int(differing[0]) + 1


def _same(found: NDArray[np.generic], expected: NDArray[np.generic], port: str, name: str) -> None:
    differing = np.flatnonzero(found.astype(np.int64) != expected.astype(np.int64))
    if differing.size:
        clock = int(differing[0])
        raise RtlMismatchError(
            f"{name}: {port} is wrong at {differing.size} clocks, first for the input of clock "
            f"{clock}: {int(found[clock])} instead of {int(expected[clock])}"
        )
