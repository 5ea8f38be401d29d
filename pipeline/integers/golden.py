"""The integer golden model: the definition of what the firmware computes.

numpy int64 only. Each layer forms its sum exactly, at the binary point of its
finest term, and rounds once into its activation's type (see
`pipeline.integers.layers`). Evaluation proves first that no sum can leave int64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.base.arrays import F32, F64, I64, Real
from pipeline.base.errors import PipelineError
from pipeline.integers.fixed_point import dequantize, quantize, requantize
from pipeline.integers.layers import IntegerTensor
from pipeline.integers.network import IntegerNetwork

CHUNK_WINDOWS = 8192


class GoldenError(PipelineError):
    """Windows that do not fit the network."""


@dataclass(frozen=True)
class EvaluatedTensor:
    """One tensor of an evaluation: int64 (windows, units) and its binary point."""

    integers: I64
    fraction_bits: int

    @property
    def real(self) -> F64:
        """Values as float64 (exact up to 53 bits), shape (windows, units)."""
        return np.ldexp(self.integers.astype(np.float64), -self.fraction_bits)


Record = Callable[[str, I64, int], None]


def evaluate(
    network: IntegerNetwork, windows_et_scaled: Real, chunk_windows: int = CHUNK_WINDOWS
) -> F64:
    """Evaluate windows of real samples.

    Parameters
    ----------
    network
        The network as integers.
    windows_et_scaled
        float32 or float64 (n, window_length), E_T / ``et_scale_gev``; may be a
        strided view, it is read in chunks.
    chunk_windows
        Windows evaluated at once; bounds the memory, never changes the result.

    Returns
    -------
    float64 (n,), E_T / ``et_scale_gev``.

    Raises
    ------
    GoldenError, FixedPointError, AccumulatorError
        For windows of another length, samples that are not finite, and a
        network whose sums may overflow.
    """
    _check(network, windows_et_scaled.shape)
    result = np.empty(len(windows_et_scaled), dtype=np.float64)
    for start in range(0, len(result), chunk_windows):
        part = slice(start, start + chunk_windows)
        output = _forward(network, quantize(windows_et_scaled[part], network.input))
        result[part] = dequantize(output, network.output)
    return result


def evaluate_integers(
    network: IntegerNetwork, integers: I64, chunk_windows: int = CHUNK_WINDOWS
) -> I64:
    """Evaluate int64 windows (n, window_length) of `network.input`; int64 (n,) of the output type.

    Raises
    ------
    GoldenError, AccumulatorError
        For windows of another length or outside the input type, and a network
        whose sums may overflow.
    """
    _check(network, integers.shape)
    limits = network.input.minimum, network.input.maximum
    if integers.size and (integers.min() < limits[0] or integers.max() > limits[1]):
        raise GoldenError(
            f"input integers in {integers.min()}..{integers.max()} leave the input type "
            f"({limits[0]}..{limits[1]})"
        )
    result = np.empty(len(integers), dtype=np.int64)
    for start in range(0, len(result), chunk_windows):
        part = slice(start, start + chunk_windows)
        result[part] = _forward(network, integers[part].astype(np.int64))
    return result


def evaluate_tensors(network: IntegerNetwork, windows_et_scaled: F32) -> dict[str, EvaluatedTensor]:
    """Evaluate a few windows; return every tensor, in the order of evaluation.

    Names: ``input``; ``<rnn>.step<t>.sum``, ``.activation`` and ``.state`` (the
    state that step t + 1 reads); ``<dense>.sum`` and ``.activation``.
    """
    _check(network, windows_et_scaled.shape)
    tensors: dict[str, EvaluatedTensor] = {}

    def record(name: str, integers: I64, fraction_bits: int) -> None:
        tensors[name] = EvaluatedTensor(integers, fraction_bits)

    integers = quantize(windows_et_scaled, network.input)
    record("input", integers, network.input.fraction_bits)
    _forward(network, integers, record)
    return tensors


def _forward(network: IntegerNetwork, windows: I64, record: Record | None = None) -> I64:
    """int64 (n, window_length) to int64 (n,); the sums have been proved to fit."""
    hidden = _recurrence(network, windows, record)
    of = network.rnn.activation
    for layer in network.dense:
        terms = [(hidden, layer.kernel, of.fraction_bits)]
        total, fraction_bits = _exact_sum(terms, layer.bias)
        of = layer.activation
        hidden = requantize(total, fraction_bits, of)
        if record is not None:
            record(f"{layer.name}.sum", total, fraction_bits)
            record(f"{layer.name}.activation", hidden, of.fraction_bits)
    return hidden[:, 0]


def _recurrence(network: IntegerNetwork, windows: I64, record: Record | None) -> I64:
    """Hidden values of the last step, int64 (n, units), in the activation's type."""
    rnn = network.rnn
    last = network.window_length - 1
    start = rnn.state.rounded_zero
    state: I64 | None = np.full((1, rnn.units), start, np.int64) if start else None
    hidden = windows
    for step in range(network.window_length):
        terms = [(windows[:, step : step + 1], rnn.kernel, network.input.fraction_bits)]
        if state is not None:
            terms.append((state, rnn.recurrent_kernel, rnn.state.fraction_bits))
        total, fraction_bits = _exact_sum(terms, rnn.bias)
        hidden = np.minimum(requantize(total, fraction_bits, rnn.activation), rnn.largest)
        state = requantize(hidden, rnn.activation.fraction_bits, rnn.state)
        if record is not None:
            record(f"{rnn.name}.step{step}.sum", total, fraction_bits)
            record(f"{rnn.name}.step{step}.activation", hidden, rnn.activation.fraction_bits)
            if step < last:
                record(f"{rnn.name}.step{step}.state", state, rnn.state.fraction_bits)
    return hidden


def _exact_sum(terms: list[tuple[I64, IntegerTensor, int]], bias: IntegerTensor) -> tuple[I64, int]:
    """``sum(values @ kernel) + bias`` at the binary point of the finest term."""
    points = [value_bits + kernel.type.fraction_bits for _, kernel, value_bits in terms]
    finest = max(*points, bias.type.fraction_bits)
    total: I64 = bias.array << (finest - bias.type.fraction_bits)
    for (values, kernel, _), point in zip(terms, points, strict=True):
        total = total + values @ (kernel.array << (finest - point))
    return total, finest


def _check(network: IntegerNetwork, shape: tuple[int, ...]) -> None:
    """Raise an error if the network is not exact, its sums may overflow, or windows do not fit."""
    _ = network.rnn, network.accumulators
    if len(shape) != 2 or shape[1] != network.window_length:
        raise GoldenError(f"expected windows of shape (n, {network.window_length}), found {shape}")
