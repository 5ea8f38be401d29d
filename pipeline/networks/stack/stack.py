"""A stack of SimpleRNNs, one a lane: trained epoch by epoch, evaluated, copied in and out."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.base.architecture import Shape, network_shapes
from pipeline.base.arrays import F32, F64
from pipeline.networks.stack.arrays import aligned
from pipeline.networks.stack.formats import NetworkFormats, WeightKind, of_lanes
from pipeline.networks.stack.library import Data, StackError, load
from pipeline.samples.windows import count_windows

Weights = dict[str, F32]
_FIELDS_OF_A_WEIGHT = 5  # of `WeightFormat`; the recurrent kernel's is the second


def lanes() -> int:
    """Return how many networks one stack trains."""
    return int(load().lanes())


def most_units() -> int:
    """Return how wide a network may be."""
    return int(load().most_units())


@dataclass(frozen=True, eq=False)
class Windows:
    """A sequence to be cut into windows, as the core reads it.

    Attributes
    ----------
    samples, truth
        float32 (n_bc,), scaled; the samples as the network's input quantizer leaves them.
    length
        Samples in a window.
    target
        The target of a window is the truth so many BCs behind its first sample.
    et_scale_gev
        What E_T was divided by: progress is shown in MeV.
    """

    samples: F32
    truth: F32
    length: int
    target: int
    et_scale_gev: float = 1.0

    @property
    def count(self) -> int:
        """Number of windows."""
        return count_windows(len(self.samples), self.length)

    @property
    def struct(self) -> Data:
        """The core's view of the arrays."""
        for array in (self.samples, self.truth):
            if array.dtype != np.float32 or not array.flags.c_contiguous:
                raise ValueError("expected contiguous arrays of float32")
        pointers = self.samples.ctypes.data, self.truth.ctypes.data
        return Data(*pointers, self.count, self.length, self.target)


class Stack:
    """Networks of one width, their quantizers, weights and moments of Adam.

    Parameters
    ----------
    formats
        The quantizers of each lane.
    weights
        Where each lane starts, by ``layer/tensor``.
    moments
        First and second moments of a training that goes on, by lane; None starts from 0.
    steps
        Steps that Adam has made.

    Raises
    ------
    StackError
        If there are not as many lanes as the core has, or the networks are too wide.
    """

    def __init__(
        self,
        formats: Sequence[NetworkFormats],
        weights: Sequence[Mapping[str, F32]],
        moments: Sequence[tuple[Mapping[str, F32], Mapping[str, F32]]] | None = None,
        steps: int = 0,
    ) -> None:
        self._core = load()
        self.units = int(weights[0]["rnn/recurrent_kernel"].shape[0])
        if not len(formats) == len(weights) == lanes():
            raise StackError(f"expected {lanes()} networks, found {len(weights)}")
        if self.units > most_units():
            raise StackError(f"expected at most {most_units()} units: {self.units}")
        self._formats = of_lanes(formats)
        self._weights = self._packed(weights)
        zeros = [{name: np.zeros_like(tensor) for name, tensor in weights[0].items()}] * lanes()
        first, second = zip(*moments, strict=True) if moments else (zeros, zeros)
        self._first, self._second = self._packed(first), self._packed(second)
        self._order: NDArray[np.uint32] = np.zeros((0, lanes()), np.uint32)
        self._held: F32 | None = None
        self._frozen: F32 | None = None
        self.steps = steps

    def with_weights(self, weights: Sequence[Mapping[str, F32]]) -> Stack:
        """Return the same networks with other weights and without moments."""
        other = copy(self)
        other._weights = self._packed(weights)
        other._first, other._second = (aligned(self._first.shape, np.float32) for _ in range(2))
        other.steps = 0
        return other

    @property
    def weights(self) -> list[Weights]:
        """Copies of the weights that training moves, by lane."""
        return self._unpacked(self._weights)

    @property
    def moments(self) -> list[tuple[Weights, Weights]]:
        """Copies of Adam's first and second moments, by lane."""
        pairs = zip(self._unpacked(self._first), self._unpacked(self._second), strict=True)
        return list(pairs)

    @property
    def quantized_weights(self) -> list[Weights]:
        """What the quantizers make of the weights, by lane."""
        return self._unpacked(self._quantize()[0])

    def hold_scales(self) -> None:
        """Keep the scales that follow from weights as they are now, in all further steps.

        A step that would change one ends at the nearest weights that do not. Called again, it
        changes nothing.
        """
        if self._held is None:
            self._held = self._quantize()[1]

    def freeze(self, fraction: float) -> None:
        """Keep some quantized recurrent weights at their values in all further steps.

        Those are taken that lie nearest to a value, in each lane; those that are frozen stay so.
        A coarse weight otherwise ends between two values, and changes them until the last step
        (Nagel et al., arXiv:2203.11086). Lanes whose recurrent weights are float keep them.

        Parameters
        ----------
        fraction
            Of the recurrent weights, 0 to 1.
        """
        quantized, scales = self._quantize()
        if self._frozen is None:
            self._frozen = aligned(self._weights.shape, np.float32)
            self._frozen[:] = np.nan
        part = slice(self.units, self.units + self.units**2)
        kind, fixed_step = self._formats[_FIELDS_OF_A_WEIGHT : _FIELDS_OF_A_WEIGHT + 2]
        following = np.tile(scales[self.units : 2 * self.units], (self.units, 1))
        steps = np.where(kind == WeightKind.FIXED, fixed_step, following)
        distance = np.abs(self._weights[part] - quantized[part]) / steps
        distance[~np.isnan(self._frozen[part])] = -1
        count = round(fraction * self.units**2)
        for lane in np.flatnonzero(kind != WeightKind.FLOAT):
            places = np.argsort(distance[:, lane], kind="stable")[:count] + self.units
            free = places[np.isnan(self._frozen[places, lane])]
            self._frozen[free, lane] = quantized[free, lane]

    @property
    def frozen(self) -> list[Weights]:
        """1 for each weight that is frozen, else 0, by lane."""
        mask = np.zeros_like(self._weights)
        if self._frozen is not None:
            mask[~np.isnan(self._frozen)] = 1
        return self._unpacked(mask)

    def freeze_again(self, frozen: Sequence[Mapping[str, F32]]) -> None:
        """Freeze, at the values that they have, what was `frozen` when the weights were copied."""
        mask = self._packed(frozen)
        if mask.any():
            self._frozen = aligned(mask.shape, np.float32)
            self._frozen[:] = np.where(mask, self._weights, np.nan)

    def _quantize(self) -> tuple[F32, F32]:
        quantized = aligned(self._weights.shape, np.float32)
        scales = aligned((2 * self.units + 1, lanes()), np.float32)
        self._core.quantize_all(
            self._formats.ctypes.data, self.units, self._weights.ctypes.data,
            quantized.ctypes.data, scales.ctypes.data,
        )  # fmt: skip
        return quantized, scales

    def train_epoch(
        self, data: Windows, batch_size: int, rates: Sequence[float], seeds: Sequence[int]
    ) -> F64:
        """Train once over all windows; each lane has its own order and rate.

        Parameters
        ----------
        data
            Windows to train on.
        batch_size
            Windows in a step; the last step of an epoch may have fewer.
        rates, seeds
            By lane: learning rate of the epoch, and what its order is drawn with.

        Returns
        -------
        float64 (lanes,)
            Mean squared error while training.
        """
        if len(self._order) != data.count:
            self._order = np.zeros((data.count, lanes()), np.uint32)
        drawn_with = np.array(seeds, np.uint64)
        self._core.shuffle_all(data.count, drawn_with.ctypes.data, self._order.ctypes.data)
        rate, loss = np.array(rates, np.float32), np.zeros(lanes())
        self._core.train_all(
            self._formats.ctypes.data, ctypes.byref(data.struct), self.units, batch_size,
            self.steps, rate.ctypes.data, self._order.ctypes.data, self._weights.ctypes.data,
            self._first.ctypes.data, self._second.ctypes.data,
            None if self._held is None else self._held.ctypes.data,
            None if self._frozen is None else self._frozen.ctypes.data, loss.ctypes.data,
        )  # fmt: skip
        self.steps += -(-data.count // batch_size)
        return loss

    def mean_squared_errors(self, data: Windows) -> F64:
        """Return the mean squared error over all windows, float64 (lanes,)."""
        loss = np.zeros(lanes())
        self._evaluate(data, None, loss)
        return loss

    def predict(self, data: Windows) -> F32:
        """Return the output for every window, float32 (windows, lanes)."""
        outputs = np.zeros((data.count, lanes()), np.float32)
        self._evaluate(data, outputs.ctypes.data, np.zeros(lanes()))
        return outputs

    def gradients(self, data: Windows, order: NDArray[np.uint32]) -> tuple[list[Weights], F32]:
        """Return gradients of the mean squared error over some windows, and that error.

        Parameters
        ----------
        data
            Where the windows lie.
        order
            First sample of each window, uint32 (windows, lanes).
        """
        gradients = aligned(self._weights.shape, np.float32)
        loss = np.zeros(lanes(), np.float32)
        rows = np.ascontiguousarray(order)
        self._core.gradients_all(
            self._formats.ctypes.data, ctypes.byref(data.struct), self.units,
            self._weights.ctypes.data, rows.ctypes.data, len(rows), gradients.ctypes.data,
            loss.ctypes.data,
        )  # fmt: skip
        return self._unpacked(gradients), loss

    def _evaluate(self, data: Windows, outputs: int | None, loss: F64) -> None:
        self._core.evaluate_all(
            self._formats.ctypes.data, ctypes.byref(data.struct), self.units,
            self._weights.ctypes.data, outputs, loss.ctypes.data,
        )  # fmt: skip

    def _packed(self, by_lane: Sequence[Mapping[str, F32]]) -> F32:
        """Return float32 (weights, lanes): all tensors of a lane behind one another."""
        names = network_shapes("SimpleRNN", self.units)
        columns = [np.concatenate([tensors[n].ravel() for n in names]) for tensors in by_lane]
        packed: F32 = aligned((len(columns[0]), lanes()), np.float32)
        packed[:] = np.array(columns).T
        return packed

    def _unpacked(self, packed: F32) -> list[Weights]:
        shapes = network_shapes("SimpleRNN", self.units)
        return [tensors_of(column, shapes) for column in packed.T]


def tensors_of(column: F32, shapes: Mapping[str, Shape]) -> Weights:
    """Return copies of the tensors of one lane, which lie behind one another in a column."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    parts = np.split(column, ends[:-1])
    return {
        name: part.reshape(shape).copy()
        for (name, shape), part in zip(shapes.items(), parts, strict=True)
    }
