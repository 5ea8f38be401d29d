"""Float weights for a network of another width: pruned unit by unit, or grown.

A network with fewer units starts from the units that matter: one after the
other, the unit whose loss hurts least is dropped, what it gave on average goes
into the biases, and the Dense layer is fitted again. A network with more units
starts as the same function: the unit that gives most is doubled and what it
gives is shared between the two (Net2WiderNet: Chen, Goodfellow, Shlens,
arXiv:1511.05641). NumPy only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.base.architecture import GATES, units_of
from pipeline.base.arrays import F32

# Unequal shares keep the gradients of the two halves apart.
_SHARE = np.float32(0.6)
_REFIT_ROUNDS = 5

Weights = dict[str, F32]


def scaled_units(units: int, factor: float) -> int:
    """Return the width for one factor of ``search.filter_range``, as AutoQKeras rounds it."""
    return max(int(units * factor), 1)


def resize(
    weights: Mapping[str, F32], cell: str, units: int, samples: F32, targets: F32
) -> Weights:
    """Return weights of a network with `units` recurrent units.

    Parameters
    ----------
    weights
        Of the float network, by ``layer/tensor``.
    cell
        ``SimpleRNN``, ``LSTM`` or ``GRU``.
    units
        The width that is wanted.
    samples, targets
        Windows ``(n, L)`` and their targets ``(n,)``, scaled: what a network
        without a unit is judged by.
    """
    resized: Weights = dict(weights)
    while (width := units_of(resized)) is not None and width > units:
        candidates = [_without(resized, cell, unit, samples, targets) for unit in range(width)]
        resized = min(candidates, key=lambda candidate: candidate[1])[0]
    while (width := units_of(resized)) is not None and width < units:
        resized = _doubled(resized, cell)
    return resized


def hidden_states(weights: Mapping[str, F32], cell: str, samples: F32) -> list[F32]:
    """Return the output of the recurrent layer after each time step, ``(n, units)`` each."""
    units = weights["rnn/recurrent_kernel"].shape[0]
    state = memory = np.zeros((len(samples), units), np.float32)
    states: list[F32] = []
    for step in range(samples.shape[1]):
        state, memory = _step(weights, cell, samples[:, step : step + 1], state, memory)
        states.append(state)
    return states


def network_output(weights: Mapping[str, F32], cell: str, samples: F32) -> F32:
    """Return the float network's output ``(n,)``."""
    last = hidden_states(weights, cell, samples)[-1]
    output: F32 = np.maximum(last @ weights["dense/kernel"] + weights["dense/bias"], 0)[:, 0]
    return output


def _step(
    weights: Mapping[str, F32], cell: str, inputs: F32, state: F32, memory: F32
) -> tuple[F32, F32]:
    kernel, recurrent = weights["rnn/kernel"], weights["rnn/recurrent_kernel"]
    if cell == "GRU":
        return _gru_step(weights, inputs, state), memory
    forward = inputs @ kernel + weights["rnn/bias"]
    if cell == "SimpleRNN":
        return np.maximum(forward + state @ recurrent, 0), memory
    i, f, c, o = np.split(forward + state @ recurrent, 4, axis=1)
    memory = _sigmoid(f) * memory + _sigmoid(i) * np.tanh(c)
    return _sigmoid(o) * np.tanh(memory), memory


def _gru_step(weights: Mapping[str, F32], inputs: F32, state: F32) -> F32:
    """Return the state after a step of a GRU whose reset gate scales ``state @ U + b_r``."""
    forward = inputs @ weights["rnn/kernel"] + weights["rnn/bias"][0]
    inner = state @ weights["rnn/recurrent_kernel"] + weights["rnn/bias"][1]
    update, reset, candidate = np.split(forward, 3, axis=1)
    inner_update, inner_reset, inner_candidate = np.split(inner, 3, axis=1)
    z = _sigmoid(update + inner_update)
    r = _sigmoid(reset + inner_reset)
    following: F32 = z * state + (1 - z) * np.tanh(candidate + r * inner_candidate)
    return following


def _sigmoid(values: F32) -> F32:
    result: F32 = 1 / (1 + np.exp(-values))
    return result


def _without(
    weights: Weights, cell: str, unit: int, samples: F32, targets: F32
) -> tuple[Weights, float]:
    """Drop a unit, put its mean into the biases and fit the Dense layer again."""
    states = hidden_states(weights, cell, samples)
    fed_back = [state[:, unit].mean() for state in states[:-1]]
    mean = np.float32(np.mean(fed_back) if fed_back else 0)
    keep = np.delete(np.arange(units_of(weights) or 0), unit)
    columns = _columns(weights, cell, keep)
    bias = weights["rnn/bias"].copy()
    # A GRU's second row is the bias of the recurrent sum; other cells have one row for both.
    np.atleast_2d(bias)[-1] += mean * weights["rnn/recurrent_kernel"][unit]
    fewer = {
        "rnn/kernel": weights["rnn/kernel"][:, columns],
        "rnn/recurrent_kernel": weights["rnn/recurrent_kernel"][np.ix_(keep, columns)],
        "rnn/bias": bias[..., columns],
        "dense/kernel": weights["dense/kernel"][keep],
        "dense/bias": weights["dense/bias"],
    }
    return _refitted(fewer, cell, samples, targets)


def _refitted(weights: Weights, cell: str, samples: F32, targets: F32) -> tuple[Weights, float]:
    """Fit the Dense layer by least squares where its ReLU passes; return the loss too."""
    last = hidden_states(weights, cell, samples)[-1].astype(np.float64)
    inputs = np.column_stack([last, np.ones(len(last))])
    solution = np.append(weights["dense/kernel"][:, 0], weights["dense/bias"]).astype(np.float64)
    above = targets > np.mean(targets)
    for _ in range(_REFIT_ROUNDS):
        passes = (inputs @ solution > 0) | above
        solution = np.linalg.lstsq(inputs[passes], targets[passes], rcond=None)[0]
    fitted = weights | {
        "dense/kernel": solution[:-1, None].astype(np.float32),
        "dense/bias": solution[-1:].astype(np.float32),
    }
    errors = network_output(fitted, cell, samples) - targets
    return fitted, float(np.mean(np.square(errors, dtype=np.float64)))


def _doubled(weights: Weights, cell: str) -> Weights:
    """Add a copy of the unit that gives most; the outputs of both add up to the old one."""
    units = units_of(weights) or 0
    recurrent, dense = weights["rnn/recurrent_kernel"], weights["dense/kernel"]
    unit = int(np.argmax(np.abs(recurrent).sum(axis=1) + np.abs(dense).sum(axis=1)))
    columns = _columns(weights, cell, np.append(np.arange(units), unit))

    def shared(rows: F32) -> F32:
        more: F32 = np.concatenate([rows, (1 - _SHARE) * rows[unit : unit + 1]])
        more[unit] *= _SHARE
        return more

    return {
        "rnn/kernel": weights["rnn/kernel"][:, columns],
        "rnn/recurrent_kernel": shared(recurrent[:, columns]),
        "rnn/bias": weights["rnn/bias"][..., columns],
        "dense/kernel": shared(dense),
        "dense/bias": weights["dense/bias"],
    }


def _columns(weights: Weights, cell: str, units: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the columns of `units` in all gates, which Keras stores side by side."""
    width = units_of(weights) or 0
    columns: NDArray[np.intp] = np.concatenate(
        [gate * width + units for gate in range(GATES[cell])]
    )
    return columns
