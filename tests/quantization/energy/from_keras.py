"""A (Q)Keras model as a description for the energy model."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from qkeras import quantizers

from pipeline.base.architecture import Cell
from pipeline.quantization.energy.description import (
    ActivationDescription,
    DenseDescription,
    EnergyError,
    LayerDescription,
    NetworkDescription,
    RecurrentDescription,
)

_ENERGY_ARGUMENTS = frozenset(
    {"bits", "integer", "keep_negative", "alpha", "use_01", "max_value", "negative_slope"}
)


def describe_model(model: Any, input_quantizer: Any = None) -> NetworkDescription:
    """Describe a Keras or QKeras model that is one chain of layers.

    Parameters
    ----------
    model
        A built Sequential or functional model of SimpleRNN, LSTM, GRU, Dense,
        Activation and their Q forms (QActivation, ...).
    input_quantizer
        Quantizer (object or string) of the samples that enter the model. If it
        is None and the model begins with a QActivation, that one's quantizer is
        taken and it is no layer of its own: the samples arrive quantized. Nor is a
        QActivation that rounds what an LSTM or a GRU puts out into the state's type.

    Raises
    ------
    EnergyError
        For any other layer, a model that is no chain, a length that is not
        fixed, or an option that changes the arithmetic (``stateful``,
        ``return_state``).
    """
    layers = [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]
    if not layers:
        raise EnergyError("model: expected at least one layer, found none")
    _require_chain(model, layers)
    if input_quantizer is None and type(layers[0]).__name__ == "QActivation" and layers[1:]:
        input_quantizer = layers[0].quantizer
        layers = layers[1:]
    return NetworkDescription(
        _with_stored_outputs([_describe(layer) for layer in layers]),
        quantizer_text(input_quantizer),
    )


def quantizer_text(quantizer: Any) -> str | None:
    """Return a string with what the energy depends on; None for a plain function.

    QKeras' own ``str`` is not used: it drops parts of a number, and makes of
    ``max_value=0.5`` a 0.
    """
    if quantizer is None or isinstance(quantizer, str):
        return quantizer
    if not isinstance(quantizer, quantizers.BaseQuantizer):
        return None
    name, signature = type(quantizer).__name__, inspect.signature(type(quantizer)).parameters
    arguments = []
    for argument in sorted(_ENERGY_ARGUMENTS & set(signature)):
        value = getattr(quantizer, argument)
        if value is not None and not isinstance(value, (bool, int, float, str)):
            raise EnergyError(f"{name}: {argument}: expected a number or a string, found {value!r}")
        if argument == "bits" or value != signature[argument].default:
            arguments.append(f"{argument}={value!r}")
    return f"{name}({','.join(arguments)})"


def _require_chain(model: Any, layers: list[Any]) -> None:
    try:
        tensors = [(layer.input, layer.output) for layer in layers]
        ends = (model.inputs, model.outputs)
    except AttributeError as error:
        raise EnergyError(f"{model.name}: not built, or a layer is used twice: {error}") from error
    chain = all(before is after for (_, before), (after, _) in itertools.pairwise(tensors))
    if not chain or len(ends[0]) != 1 or len(ends[1]) != 1 or ends[1][0] is not tensors[-1][1]:
        raise EnergyError(f"{model.name}: expected one chain of layers")


def _describe(layer: Any) -> LayerDescription:
    kind = type(layer).__name__
    if kind not in _DESCRIBERS:
        raise EnergyError(
            f"{layer.name}: the energy of a {kind} is not modelled; "
            f"expected one of {', '.join(sorted(_DESCRIBERS))}"
        )
    shape = layer.input_shape
    if not isinstance(shape, tuple) or any(length is None for length in shape[1:]):
        raise EnergyError(f"{layer.name}: expected one input of fixed shape, found {shape}")
    return _DESCRIBERS[kind](layer, shape[1:])


def _with_stored_outputs(layers: list[LayerDescription]) -> tuple[LayerDescription, ...]:
    """Make the rounding of an LSTM's or a GRU's output a part of that layer."""
    found: list[LayerDescription] = []
    for layer in layers:
        before = found[-1] if found else None
        if (
            isinstance(layer, ActivationDescription)
            and isinstance(before, RecurrentDescription)
            and before.unrounded_output
            and layer.activation == before.state
        ):
            found[-1] = replace(before, unrounded_output=False)
        else:
            found.append(layer)
    return tuple(found)


def _recurrent(layer: Any, shape: tuple[int, ...]) -> RecurrentDescription:
    kind = type(layer).__name__
    for option in ("stateful", "return_state"):
        if getattr(layer, option):
            raise EnergyError(f"{layer.name}: {option}: expected False")
    cell = getattr(layer, "cell", layer)
    found = [quantizer_text(item) for item in _quantizers(layer, 4)]
    if kind == "QGRU" and found[1] is None:
        raise EnergyError(
            f"{layer.name}: QKeras' GRU without a recurrent quantizer multiplies the state "
            "by the kernel, not by the recurrent kernel"
        )
    return RecurrentDescription(
        name=layer.name,
        cell=cast(Cell, kind.removeprefix("Q")),
        features=shape[1],
        units=layer.units,
        timesteps=shape[0],
        kernel=found[0],
        recurrent_kernel=found[1],
        bias=found[2] if cell.use_bias else None,
        state=found[3],
        activation=quantizer_text(cell.activation),
        recurrent_activation=quantizer_text(getattr(cell, "recurrent_activation", None)),
        use_bias=cell.use_bias,
        reset_after=getattr(cell, "reset_after", False),
        return_sequences=layer.return_sequences,
        unrounded_output=kind in ("QLSTM", "QGRU") and found[3] is not None,
    )


def _dense(layer: Any, shape: tuple[int, ...]) -> DenseDescription:
    if len(shape) != 1:
        raise EnergyError(f"{layer.name}: expected a vector as input, found shape {shape}")
    kernel, bias = (quantizer_text(item) for item in _quantizers(layer, 2))
    return DenseDescription(
        name=layer.name,
        features=shape[0],
        units=layer.units,
        kernel=kernel,
        bias=bias if layer.use_bias else None,
        activation=quantizer_text(layer.activation),
        use_bias=layer.use_bias,
    )


def _activation(layer: Any, shape: tuple[int, ...]) -> ActivationDescription:
    quantizer = quantizer_text(getattr(layer, "quantizer", layer.activation))
    if quantizer is None and type(layer).__name__ == "QActivation":
        raise EnergyError(f"{layer.name}: expected a quantizer, found {layer.activation}")
    return ActivationDescription(name=layer.name, shape=shape, activation=quantizer)


def _quantizers(layer: Any, count: int) -> list[Any]:
    if type(layer).__name__.startswith("Q"):
        return list(layer.get_quantizers())
    return [None] * count


_DESCRIBERS: Mapping[str, Callable[[Any, tuple[int, ...]], LayerDescription]] = {
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU", "QSimpleRNN", "QLSTM", "QGRU"), _recurrent),
    **dict.fromkeys(("Dense", "QDense"), _dense),
    **dict.fromkeys(("Activation", "QActivation"), _activation),
}
