"""A stack of SimpleRNNs that learn the bits of every weight and of every hidden unit, too.

Each weight has fraction bits of its own; a weight that is rounded to 0 is pruned. Hidden values
are rounded once in a step, half up, into ``[0, 1)``, and read alike by the next step and by the
Dense unit. The loss is the mean squared error, divided by a reference, plus a price for each
effective bit operation (HGQ, arXiv:2405.00645): bits of a weight, from its first place to its
last, times bits of the value that it meets, summed over the products of a window. Signs are free.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.base.architecture import network_shapes
from pipeline.base.arrays import F32, F64
from pipeline.networks.stack.arrays import aligned
from pipeline.networks.stack.learned_network import LearnedNetwork, RoundedNetwork, ValueBits
from pipeline.networks.stack.library import StackError, load
from pipeline.networks.stack.stack import Weights, Windows, lanes, most_units, tensors_of


class LearnedStack:
    """Networks of one width whose weights and bits are trained, one a lane.

    Parameters
    ----------
    networks
        Where each lane starts.
    length
        Samples in a window.
    reference
        Mean squared error that counts as 1 in the loss, scaled: that of the float network.
    values
        Bits that are not learned.

    Raises
    ------
    StackError
        If there are not as many networks as the core has lanes, or they are too wide.
    """

    def __init__(
        self,
        networks: Sequence[LearnedNetwork],
        length: int,
        reference: float,
        values: ValueBits | None = None,
    ) -> None:
        self._core, self._reference = load(), reference
        self._length, self._values = length, values or ValueBits()
        if len(networks) != lanes():
            raise StackError(f"expected {lanes()} networks, found {len(networks)}")
        self.units = len(networks[0].unit_bits)
        if self.units > most_units():
            raise StackError(f"expected at most {most_units()} units: {self.units}")
        self._shapes = network_shapes("SimpleRNN", self.units)
        self._parameters = self._packed(networks)
        shape = self._parameters.shape
        self._first, self._second = (aligned(shape, np.float32) for _ in range(2))
        self._order: NDArray[np.uint32] = np.zeros((0, lanes()), np.uint32)
        self.steps = 0

    @property
    def _weights(self) -> int:
        return sum(int(np.prod(shape)) for shape in self._shapes.values())

    @property
    def networks(self) -> list[LearnedNetwork]:
        """Copies of the parameters, by lane."""
        return self._unpacked(self._parameters)

    @property
    def rounded(self) -> list[RoundedNetwork]:
        """What each lane computes with now."""
        table, operations = self._round()
        count = self._weights
        return [
            RoundedNetwork(
                self._tensors(column[:count]),
                {
                    name: bits.astype(np.int64)
                    for name, bits in self._tensors(column[count : 2 * count]).items()
                },
                column[2 * count :].astype(np.int64),
                int(total),
            )
            for column, total in zip(table.T, operations, strict=True)
        ]

    @property
    def operations(self) -> NDArray[np.int64]:
        """Effective bit operations of a window, int64 (lanes,)."""
        return self._round()[1]

    def train_epoch(
        self,
        data: Windows,
        batch_size: int,
        rates: Sequence[float],
        bit_rates: Sequence[float],
        prices: Sequence[float],
        seeds: Sequence[int],
        unit_rates: Sequence[float] | None = None,
    ) -> F64:
        """Train once over all windows; each lane has its own order, rates and price.

        Parameters
        ----------
        data
            Windows to train on.
        batch_size
            Windows in a step; the last step of an epoch may have fewer.
        rates, bit_rates
            By lane: learning rate of the weights, and of their bits; 0 leaves them as they are.
        prices
            By lane: of a bit operation, in units of the reference.
        seeds
            By lane: what the order of windows is drawn with.
        unit_rates
            By lane: learning rate of the bits of hidden units; None: that of the weights' bits.

        Returns
        -------
        float64 (lanes,)
            Mean squared error while training.
        """
        if len(self._order) != data.count:
            self._order = np.zeros((data.count, lanes()), np.uint32)
        drawn_with = np.array(seeds, np.uint64)
        self._core.shuffle_all(data.count, drawn_with.ctypes.data, self._order.ctypes.data)
        by_kind = aligned((3, lanes()), np.float32)
        by_kind[:] = rates, bit_rates, bit_rates if unit_rates is None else unit_rates
        loss = np.zeros(lanes())
        form = self._format(prices)
        self._core.train_learned_all(
            form.ctypes.data, ctypes.byref(data.struct), self.units, batch_size, self.steps,
            by_kind.ctypes.data, self._order.ctypes.data, self._parameters.ctypes.data,
            self._first.ctypes.data, self._second.ctypes.data, loss.ctypes.data,
        )  # fmt: skip
        self.steps += -(-data.count // batch_size)
        return loss

    def gradients(
        self, data: Windows, order: NDArray[np.uint32], prices: Sequence[float]
    ) -> tuple[list[LearnedNetwork], F64]:
        """Return gradients of the loss over some windows, and their mean squared error.

        Parameters
        ----------
        data
            Where the windows lie.
        order
            First sample of each window, uint32 (windows, lanes).
        prices
            Of a bit operation, by lane.
        """
        gradients = aligned(self._parameters.shape, np.float32)
        loss, rows = np.zeros(lanes()), np.ascontiguousarray(order)
        form = self._format(prices)
        self._core.learned_gradients_all(
            form.ctypes.data, ctypes.byref(data.struct), self.units,
            self._parameters.ctypes.data, rows.ctypes.data, len(rows), gradients.ctypes.data,
            loss.ctypes.data,
        )  # fmt: skip
        return self._unpacked(gradients), loss

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

    def _evaluate(self, data: Windows, outputs: int | None, loss: F64) -> None:
        form = self._format([0.0] * lanes())
        self._core.evaluate_learned_all(
            form.ctypes.data, ctypes.byref(data.struct), self.units,
            self._parameters.ctypes.data, outputs, loss.ctypes.data,
        )  # fmt: skip

    def _round(self) -> tuple[F32, NDArray[np.int64]]:
        table: F32 = aligned(self._parameters.shape, np.float32)
        operations = aligned((1, lanes()), np.float32)
        form = self._format([0.0] * lanes())
        self._core.round_learned_all(
            form.ctypes.data, self.units, self._length, self._parameters.ctypes.data,
            table.ctypes.data, operations.ctypes.data,
        )  # fmt: skip
        return table, operations[0].astype(np.int64)

    def _format(self, prices: Sequence[float]) -> F32:
        """Return ``struct LearnedFormat`` of the core, float32 (fields, lanes)."""
        step = 2.0**-self._values.output
        form: F32 = aligned((6, lanes()), np.float32)
        fields = self._values.sample, step, 1 / step, 1 - step, 1 / self._reference
        form[:5] = np.array(fields, np.float32)[:, None]
        form[5] = prices
        return form

    def _packed(self, networks: Sequence[LearnedNetwork]) -> F32:
        columns = [
            np.concatenate(
                [
                    *(network.weights[name].ravel() for name in self._shapes),
                    *(network.fraction_bits[name].ravel() for name in self._shapes),
                    network.unit_bits,
                ]
            )
            for network in networks
        ]
        packed: F32 = aligned((len(columns[0]), lanes()), np.float32)
        packed[:] = np.array(columns).T
        return packed

    def _unpacked(self, parameters: F32) -> list[LearnedNetwork]:
        count = self._weights
        return [
            LearnedNetwork(
                self._tensors(column[:count]),
                self._tensors(column[count : 2 * count]),
                column[2 * count :].copy(),
            )
            for column in parameters.T
        ]

    def _tensors(self, column: F32) -> Weights:
        return tensors_of(column, self._shapes)
