"""The quantized network as integers: the hand-over from `finetune` to firmware.

``models/integer.json`` holds every weight as an integer with a fixed-point type, and the
type of every tensor that flows. It needs no library to be read.

A SimpleRNN is exact: `pipeline.integers.golden` evaluates it, and firmware must equal that.
An LSTM or a GRU is not, because its sigmoid and tanh are tables. It has no golden model and
no RTL; hls4ml's recurrent templates evaluate it, and how far they are from QKeras is measured.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.base.errors import PipelineError
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.base.schema import Frozen
from pipeline.integers.accumulators import Accumulator, prove_sums
from pipeline.integers.layers import DenseLayer, GatedLayer, Layer, RecurrentLayer, SimpleRnnLayer

INTEGER_NETWORK = Path("models/integer.json")
# Name of the file that stands in an output directory whose content does not exist.
NOT_AVAILABLE = "not_available.txt"
NO_RTL = (
    "no RTL of an LSTM or a GRU: it has no exact integer model to prove one by "
    "(docs/firmware.md); models/firmware has its HLS project"
)


class IntegerNetwork(Frozen):
    """A recurrent layer over `window_length` one-feature steps, then Dense layers.

    Input and output are transverse energy divided by ``et_scale_gev``;
    ``input`` is the type that the samples are rounded into first.

    Every network so far is a recurrent layer unrolled over a window. Another form (Dense
    layers on past samples, one cell whose state is kept from BC to BC, feedback of earlier
    outputs) would be a field here, ``form``, which defaults to this one; `_chain` says which
    layers it may have, `pipeline.integers.accumulators` proves its sums, and
    `pipeline.integers.golden` evaluates it.
    """

    schema_version: Literal[1] = 1
    window_length: int = Field(ge=1)
    et_scale_gev: float = Field(gt=0)
    input: FixedPointType
    layers: list[Layer] = Field(min_length=1)

    @model_validator(mode="after")
    def _chain(self) -> Self:
        first, *others = self.layers
        if first.kind == "dense" or any(layer.kind != "dense" for layer in others):
            raise ValueError("layers must be one simple_rnn, lstm or gru followed by dense layers")
        if isinstance(first, GatedLayer) and not others:
            raise ValueError(f"layers must end with a dense layer, found only the {first.kind}")
        features = 1
        for layer in self.layers:
            inputs = layer.kernel.array.shape[0]
            if inputs != features:
                raise ValueError(f"{layer.name}: kernel has {inputs} inputs, expected {features}")
            features = layer.units
        if features != 1:
            raise ValueError(f"the last layer must have one output, found {features}")
        return self

    @property
    def exact(self) -> bool:
        """Whether integers say exactly what the network computes: the layer is a SimpleRNN."""
        return isinstance(self.recurrent, SimpleRnnLayer)

    @property
    def recurrent(self) -> RecurrentLayer:
        """The recurrent layer, of any kind."""
        first = self.layers[0]
        assert not isinstance(first, DenseLayer)
        return first

    @property
    def rnn(self) -> SimpleRnnLayer:
        """The recurrent layer of an exact network.

        Raises
        ------
        PipelineError
            If it is an LSTM or a GRU.
        """
        layer = self.recurrent
        if not isinstance(layer, SimpleRnnLayer):
            raise PipelineError(
                f"layers.0.kind: expected simple_rnn, found {layer.kind}: the sigmoid and tanh of "
                "a gated cell are tables, there is no exact integer model of them"
            )
        return layer

    @property
    def gated(self) -> GatedLayer:
        """The recurrent layer of a network that is not exact.

        Raises
        ------
        PipelineError
            If it is a SimpleRNN.
        """
        layer = self.recurrent
        if not isinstance(layer, GatedLayer):
            raise PipelineError(f"layers.0.kind: expected lstm or gru, found {layer.kind}")
        return layer

    @property
    def dense(self) -> list[DenseLayer]:
        """The layers after the recurrent one."""
        return [layer for layer in self.layers if isinstance(layer, DenseLayer)]

    @property
    def output(self) -> FixedPointType:
        """Type of the network's output."""
        last = self.layers[-1]
        assert not isinstance(last, GatedLayer)
        return last.activation

    @cached_property
    def accumulators(self) -> tuple[Accumulator, ...]:
        """Proved width of every sum; see `pipeline.integers.accumulators.prove_sums`.

        Raises
        ------
        AccumulatorError
            If a sum may leave int64.
        """
        return prove_sums(self.input, self.window_length, self.recurrent, self.dense)

    @property
    def float32_exact(self) -> bool:
        """Whether float32, in which QKeras computes, represents every partial sum."""
        return all(accumulator.float32_exact for accumulator in self.accumulators)
