"""The network as a pipeline of shifts and adds, built with da4ml.

Everything is built from integers: a sum is formed at the binary point of its finest
term, as in the golden model, and rounding divides by a power of two. da4ml finds the
adders that the columns of a kernel share (distributed arithmetic: no multiplier).

Rounding and saturation are built here from bits, because da4ml 0.5.2 has no rounding
half to even, and its multiplexer must not be steered by a variable without a sign
(such a select is evaluated wrongly there): every select below is a number that is
negative or not.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import localcontext
from math import log2
from typing import Any

import numpy as np

from pipeline.base.arrays import I64
from pipeline.base.errors import PipelineError
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.firmware.rtl.powers_of_two import power_of_two
from pipeline.integers.fixed_point import MANTISSA_BITS, requantize
from pipeline.integers.layers import IntegerTensor
from pipeline.integers.network import IntegerNetwork

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # numba's, about the caching of code that it compiles
    from da4ml.trace import FixedVariableArray, HWConfig, comb_trace
    from da4ml.trace.fixed_variable import FixedVariable
    from da4ml.trace.pipeline import to_pipeline

# Cost model of da4ml: an adder of any width takes one unit of time.
_HARDWARE = HWConfig(1, -1, -1)

# da4ml keeps a number as bits times a power of two, as a `Decimal`, and cuts its logarithm off.
# Rounding multiplies the power in every step of the state: after some ten steps the 28 digits of
# the default no longer hold it, and a shift is one too small; after some fifty a float64 may not.
# So there are more digits, and where the power is beyond 2**+-200 it starts again at 1.
_DIGITS = 1000
_FARTHEST = 200

# da4ml follows a graph by functions that call themselves, once for each operation in a row: a
# window of some hundred samples goes beyond Python's default. (Calls take no room on the C stack.)
_DEPTH = 1_000_000


class RtlError(PipelineError):
    """A network that cannot become RTL, or files that cannot be used."""


@dataclass(frozen=True)
class AdderGraph:
    """A pipeline, before it is written in a language.

    Attributes
    ----------
    logic
        The same before it was cut into stages; ``logic.predict`` evaluates it.
    pipeline
        da4ml's pipeline: combinational logic per stage.
    stages
        Stages of logic. Registers stand before each and after the last.
    operations
        Adders, multiplexers and selections of bits.
    output_low, output_step
        Smallest value that the output's wires can carry, and the value of their
        lowest bit, in steps of the output type.
    output_bits
        Wires of da4ml's output; may be fewer than the type has.
    """

    logic: Any
    pipeline: Any
    stages: int
    operations: int
    output_low: int
    output_step: int
    output_bits: int

    @property
    def latency_cycles(self) -> int:
        """Clock edges from a window at the input to its energy at the output."""
        return self.stages + 1


def adder_graph(network: IntegerNetwork, adders_per_stage: int) -> AdderGraph:
    """Build the graph of a network and cut it into stages.

    Parameters
    ----------
    network
        The network as integers.
    adders_per_stage
        Adders in a row between two registers, at least 1: fewer are faster and
        need more registers.

    Raises
    ------
    RtlError, AccumulatorError
        If a sum needs more than 53 bits (da4ml counts in float64), or the output
        is a constant.
    """
    if adders_per_stage < 1:
        raise RtlError(f"adders_per_stage: expected at least 1, found {adders_per_stage}")
    for accumulator in network.accumulators:
        if accumulator.bits + 1 >= MANTISSA_BITS:
            raise RtlError(
                f"{accumulator.name} needs {accumulator.bits} bits: RTL is limited to "
                f"{MANTISSA_BITS - 2}"
            )
    with _room():
        window, energy, far = _unrolled(network)
        if energy.low == energy.high:
            raise RtlError(f"the output is the constant {int(energy.low)}: nothing to build")
        # A sample without effect stays an input: the ports are those of the whole window.
        comb = comb_trace(window, _array([energy], window), keep_dead_inputs=True)
        # Retiming builds the sums anew, without what `_rescaled` added.
        pipeline = to_pipeline(comb, adders_per_stage, retiming=not far, verbose=False)
    qint = comb.out_qint[0]
    return AdderGraph(
        logic=comb,
        pipeline=pipeline,
        stages=len(pipeline.solutions),
        operations=len(comb.ops),
        output_low=int(qint.min),
        output_step=int(qint.step),
        output_bits=_width(qint),
    )


@contextmanager
def _room() -> Iterator[None]:
    """Give da4ml the digits and the depth of calls that a long window needs."""
    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEPTH)
    try:
        with localcontext(prec=_DIGITS):
            yield
    finally:
        sys.setrecursionlimit(depth)


def _unrolled(network: IntegerNetwork) -> tuple[Any, Any, bool]:
    """Input array and output variable of the network, every value an integer of its type.

    And whether the window is so long that `_rescaled` was needed.
    """
    of, rnn = network.input, network.rnn
    length = network.window_length
    whole = np.full(length, of.bits - of.signed)
    window = FixedVariableArray.from_kif(
        np.full(length, int(of.signed)), whole, np.zeros(length, int), hwconf=_HARDWARE
    )
    state: Any = None
    hidden: Any = None
    far = False
    for step in range(length):
        terms = [(window[step : step + 1], rnn.kernel, of.fraction_bits)]
        if state is not None:
            terms.append((state, rnn.recurrent_kernel, rnn.state.fraction_bits))
            constants = [(rnn.bias.array, rnn.bias.type.fraction_bits)]
        else:
            constants = rnn.first_constants()
        hidden = _layer(terms, constants, rnn.unit_types)
        state = hidden
        if rnn.state != rnn.activation:
            point = rnn.activation.fraction_bits
            rounded = [_rounded_into(v, 0, point, rnn.state) for v in hidden._vars]
            state = _array(rounded, window)
        near = [_rescaled(variable) for variable in state._vars]
        far = far or any(new is not old for new, old in zip(near, state._vars, strict=True))
        state = _array(near, window)
    before = rnn.activation
    for layer in network.dense:
        terms = [(hidden, layer.kernel, before.fraction_bits)]
        constants = [(layer.bias.array, layer.bias.type.fraction_bits)]
        hidden = _layer(terms, constants, [layer.activation] * layer.units)
        before = layer.activation
    return window, hidden._vars[0], far


def _rescaled(variable: Any) -> Any:
    """Return the same number with a power of two that is not far from 1; see `_FARTHEST`.

    It is 1 plus the number, less 1: a sum has the power of its first term. (Zero will not do:
    da4ml's Verilog has no zero as a term.)
    """
    if abs(variable._factor.adjusted()) * log2(10) < _FARTHEST:
        return variable
    one = FixedVariable.from_const(1.0, hwconf=variable.hwconf)
    above = FixedVariable(
        variable.low + 1,
        variable.high + 1,
        variable.step,
        _from=(one, variable),
        _factor=1,
        opr="vadd",
        hwconf=variable.hwconf,
    )
    return above - 1


def _layer(
    terms: list[tuple[Any, IntegerTensor, int]],
    constants: list[tuple[I64, int]],
    to: list[FixedPointType],
) -> Any:
    """One exact sum per unit, rounded into the type of its activation."""
    points = [point + kernel.type.fraction_bits for _, kernel, point in terms]
    finest = max(points + [point for _, point in constants])
    kernel = np.concatenate(
        [
            term[1].array.astype(np.float64) * 2.0 ** (finest - point)
            for term, point in zip(terms, points, strict=True)
        ]
    )
    values = np.concatenate([term[0] for term in terms]) if len(terms) > 1 else terms[0][0]
    total = values @ kernel
    added = np.sum([integers << (finest - point) for integers, point in constants], axis=0)
    return _array(
        [
            _rounded_into(variable, int(constant), finest, of)
            for variable, constant, of in zip(total._vars, added, to, strict=True)
        ],
        values,
    )


def _rounded_into(variable: Any, constant: int, point: int, to: FixedPointType) -> Any:
    """``variable + constant`` at a binary point, as an integer of the type `to`."""
    if variable.low == variable.high:
        exact = np.array([int(variable.low) + constant], dtype=np.int64)
        return FixedVariable.from_const(
            float(requantize(exact, point, to)[0]), hwconf=variable.hwconf
        )
    shift = point - to.fraction_bits
    if to.powers_of_two:
        return power_of_two(variable, constant, shift, to)
    if shift > 0:
        variable = _floor(_before_floor(variable, constant, shift, to.rounding), shift)
    else:
        variable = variable + constant
    variable = variable * 2.0**-shift
    whole = to.bits - to.signed
    if to.overflow == "WRAP":
        return variable.quantize(int(to.signed), whole, 0, "WRAP", "TRN")
    if to.signed:
        return variable.max_of(float(to.minimum)).min_of(float(to.maximum))
    return _saturated(variable.relu(), whole, to.maximum)


def _before_floor(variable: Any, constant: int, shift: int, rounding: str) -> Any:
    """Return what, cut off at bit `shift`, is the rounded result.

    Half to even adds one half less one step, and a step more where the result would
    be odd: the bit that will be the last one. A tie then goes up only from odd.
    """
    half = 1 << (shift - 1)
    if rounding == "TRN":
        return variable + constant
    if rounding == "RND":
        return variable + (constant + half)
    lowest = int(variable.step)
    if constant % lowest:
        lowest = constant & -constant
    if lowest > half:
        return variable + constant
    odd = (variable + constant).quantize(0, shift + 1, -shift, "WRAP", "TRN")
    return (variable + (constant + half - lowest)) + odd * (lowest / 2.0**shift)


def _floor(variable: Any, shift: int) -> Any:
    """Round down: the same number without the bits below `shift`."""
    signed, whole, _ = variable.kif
    return variable.quantize(signed, whole, -shift, "WRAP", "TRN")


def _saturated(variable: Any, whole: int, maximum: int) -> Any:
    """Clip a number that is not negative to `maximum` = 2**whole - 1."""
    if variable.high <= maximum:
        return variable
    above = variable.quantize(0, variable.kif[1], -whole, "WRAP", "TRN")
    low = variable.quantize(0, whole, 0, "WRAP", "TRN")
    return (above - 2.0**whole).msb_mux(low, float(maximum))  # negative: no bit above


def _array(variables: list[Any], like: Any) -> Any:
    return FixedVariableArray(np.array(variables), like.solver_options)


def _width(qint: Any) -> int:
    """Wires that da4ml gives to an interval."""
    steps_high, steps_low = int(qint.max / qint.step), int(qint.min / qint.step)
    return max(steps_high.bit_length(), (-steps_low - 1).bit_length() if steps_low < 0 else 0) + (
        steps_low < 0
    )
