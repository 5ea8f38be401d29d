"""The RTL against the golden model: the network, and the streaming core clock by clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts.design import RtlDesign
from pipeline.base.arrays import I64
from pipeline.base.errors import PipelineError
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.firmware.rtl.stream_clocks import StreamClocks, expected_stream
from pipeline.firmware.rtl.verilator import U32, Harness, compiled
from pipeline.integers import golden
from pipeline.integers.compare import Comparison, compare, require_agreement
from pipeline.integers.fixed_point import dequantize
from pipeline.integers.network import IntegerNetwork

GOLDEN = "golden"
_SPARE_CLOCKS = 8
_RESET = 2  # beside 1 for a sample
_CLOCKS_PER_WINDOW = 1
_WORD = 32


class SimulatedNetwork(NamedTuple):
    """What the simulation of a network showed.

    Attributes
    ----------
    comparison
        With the golden model, over all windows.
    latency_cycles
        Clocks from a window to its energy.
    initiation_interval
        Clocks between two windows: every one was compared at this distance.
    """

    comparison: Comparison
    latency_cycles: int
    initiation_interval: int


class RtlMismatchError(PipelineError):
    """RTL whose timing is not what its description says."""


def check_network(
    network: IntegerNetwork,
    design: RtlDesign,
    files: Sequence[Path],
    integers: I64,
    name: str = "rtl",
) -> SimulatedNetwork:
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
    The comparison, and the timing that was read from the simulation.

    Raises
    ------
    MismatchError
        Naming the first window and both energies.
    RtlMismatchError
        If the latency is not that of `design`, or no window can show it.
    SimulationError, GoldenError, AccumulatorError
        If the simulator is missing or refuses the text, or the windows do not fit.
    """
    expected = golden.evaluate_integers(network, integers)
    hold = design.latency_cycles + _SPARE_CLOCKS
    low, high = int(expected.argmin()), int(expected.argmax())
    if expected[low] == expected[high]:
        raise RtlMismatchError("all windows have one energy: no latency can be read")
    entering = np.repeat(np.arange(len(integers)), _CLOCKS_PER_WINDOW)
    order = np.concatenate([np.full(hold, low), np.full(hold, high), entering])
    flush = np.full(hold, len(integers) - 1)
    words = _packed(integers, network.input)[np.concatenate([order, flush])]
    with compiled(files, _network_harness(design)) as simulation:
        found = _signed(simulation.run(words)[:, 0], network.output)
    latency = _edges_until_change(found[: 2 * hold], hold, name)
    if latency != design.latency_cycles:
        raise RtlMismatchError(
            f"{name}: the energy comes after {latency} clocks, expected {design.latency_cycles}"
        )
    first = 2 * hold + latency - 1
    energies = found[first : first + len(entering) : _CLOCKS_PER_WINDOW]
    comparison = _compared(network, expected, energies, name)
    return SimulatedNetwork(comparison, latency, _CLOCKS_PER_WINDOW)


def check_stream(
    network: IntegerNetwork,
    design: RtlDesign,
    files: Sequence[Path],
    clocks: StreamClocks,
    name: str = "stream",
    optimise: bool = True,
) -> Comparison:
    """Simulate the streaming core and compare flags, cells and energies, clock by clock.

    `optimise` is for `pipeline.firmware.rtl.verilator.compiled`.

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
    The first row is a reset: before it, registers may hold anything. From its edge on both
    flags are compared, so also that no energy is valid until the first one can be.
    """
    complete, out_of_turn, windows = expected_stream(clocks, design)
    n, latency = len(clocks), design.latency_cycles
    rows = np.zeros((n + latency + 1, 3), dtype=np.uint32)
    rows[0, 0] = _RESET
    rows[1 : n + 1, 0] = clocks.valid + _RESET * clocks.reset
    rows[1 : n + 1, 1] = clocks.cell
    rows[1 : n + 1, 2] = clocks.sample & ((1 << design.sample_bits) - 1)
    found = simulate(rows)
    _same_flag(found[:, 0] >> 1, out_of_turn, 1, "out_of_turn", name)
    _same_flag(found[:, 0] & 1, complete, latency, "energy_valid", name)
    late = found[latency : latency + n]
    _same(late[complete, 1], clocks.cell[complete], np.flatnonzero(complete), "cell_out", name)
    expected = golden.evaluate_integers(network, windows)
    energies = _signed(late[complete, 2], network.output)
    return _compared(network, expected, energies, name)


def rtl_metrics(
    design: RtlDesign, simulated: SimulatedNetwork, streamed: Comparison
) -> dict[str, object]:
    """Return the content of ``metrics/rtl.json``.

    Latency and initiation interval are the simulated ones. Simulators that only some
    machines have are not in it: the file is the same on all of them.
    """
    latency = simulated.latency_cycles
    return {
        simulated.comparison.found: simulated.comparison.metrics(),
        streamed.found: streamed.metrics(),
        "adder_operations": design.adder_operations,
        "initiation_interval": simulated.initiation_interval,
        "latency_cycles": latency,
        "latency_ns": latency * design.clock_period_ns,
        "stages": design.stages,
    }


def _compared(network: IntegerNetwork, expected: I64, found: I64, name: str) -> Comparison:
    of = network.output
    comparison = compare(network, (GOLDEN, dequantize(expected, of)), (name, dequantize(found, of)))
    require_agreement(comparison, 0.0, "the RTL does not name its inner tensors")
    return comparison


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
    """Windows as little-endian words: the oldest sample in the lowest bits.

    A word is put together from the samples that reach into it, so that beside the result
    no more than one word and one sample of each window are held.
    """
    length = integers.shape[1]
    words = np.zeros((len(integers), -(-length * of.bits // _WORD)), dtype=np.uint32)
    for place in range(length):
        sample = (integers[:, place] & ((1 << of.bits) - 1)).astype(np.uint64)
        word, shift = divmod(place * of.bits, _WORD)
        words[:, word] |= (sample << np.uint64(shift)).astype(np.uint32)
        if shift + of.bits > _WORD:
            words[:, word + 1] |= (sample >> np.uint64(_WORD - shift)).astype(np.uint32)
    return words


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


def _same_flag(
    found: NDArray[np.generic], expected: NDArray[np.bool_], edges: int, port: str, name: str
) -> None:
    """Compare a flag in all rows; it answers the input of `edges` - 1 rows before, else is 0."""
    wanted = np.zeros(len(found), dtype=bool)
    wanted[edges : edges + len(expected)] = expected
    _same(found, wanted, np.arange(len(found)) - edges, port, name)


def _same(
    found: NDArray[np.generic], expected: NDArray[np.generic], clocks: I64, port: str, name: str
) -> None:
    """Compare a port; `clocks` are those of the inputs, below 0 where none can be the cause."""
    differing = np.flatnonzero(found.astype(np.int64) != expected.astype(np.int64))
    if differing.size:
        first = int(differing[0])
        clock = int(clocks[first])
        where = f"for the input of clock {clock}" if clock >= 0 else "before any input can show"
        raise RtlMismatchError(
            f"{name}: {port} is wrong at {differing.size} clocks, first {where}: "
            f"{int(found[first])} instead of {int(expected[first])}"
        )
