"""From ``quantization_config`` and ``limit`` to one list of quantizers per tensor.

The meaning is AutoQKeras': ``quantization_config`` lists quantizers with their
bits for each kind of tensor; ``limit`` bounds the bits by layer class, by layer
name or by regular expression. Where the two differ from upstream, upstream does
not do what it says: the recurrent kernel draws from ``recurrent_kernel`` (there
it silently drew from ``kernel``), and the state has its list (there it stayed
float).

``tune_filters`` says which layers may change their width. AutoQKeras multiplies the
filters of convolutions and the units of Dense layers by a factor: one for each layer
(``layer``) or one for the network (``block``). Here the recurrent layer has units to
tune. The Dense output layer is as wide as the answer and never changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.base.errors import PipelineError
from pipeline.params.network import SearchParams
from pipeline.quantization.training.resizing import scaled_units
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer

# Order of the entries of one limit, as in AutoQKeras, with the state added.
DENSE_LIMIT_ORDER = ("kernel", "bias", "activation")
RECURRENT_LIMIT_ORDER = ("kernel", "bias", "recurrent_kernel", "activation", "state")
GATE_KIND = "recurrent_activation"
_GATE_NAMES = ("quantized_sigmoid", "quantized_tanh")
CONFIG_KINDS = (*RECURRENT_LIMIT_ORDER, GATE_KIND)

# Names of the other decisions, as in AutoQKeras.
FILTERS = "network_filters"
LEARNING_RATE = "learning_rate"
# AutoQKeras' range of learning rates ends here, as a multiple of the learning rate.
HIGHEST_RATE = 1.1
LEARNING_RATE_CHOICES = 5  # np.linspace(delta_lr, 1.1, 5)


class SearchSpaceError(PipelineError):
    """The search space is empty, contradictory or leaves a layer float."""


@dataclass(frozen=True)
class Layer:
    """A quantizable layer of the float network."""

    index: int
    name: str
    class_name: str

    @property
    def recurrent(self) -> bool:
        """Whether the layer has a recurrent kernel and a state."""
        return self.class_name in ("SimpleRNN", "LSTM", "GRU")

    @property
    def gated(self) -> bool:
        """Whether the layer has sigmoid and tanh inside."""
        return self.class_name in ("LSTM", "GRU")


@dataclass(frozen=True)
class Choice:
    """One decision of the search.

    Attributes
    ----------
    name
        Hyperparameter name: ``<layer>_<kind>_quantizer``, or the regular
        expression in place of the layer when a group shares the decision.
    tensors
        The tensors that it decides, as ``layer/tensor``.
    quantizers
        What can be chosen, by string.
    """

    name: str
    tensors: tuple[str, ...]
    quantizers: dict[str, Quantizer]


def network_layers(cell: str) -> list[Layer]:
    """Return the layers of the float network; index 0 is its input layer."""
    return [Layer(1, "rnn", cell), Layer(2, "dense", "Dense")]


def build_search_space(params: SearchParams, layers: Sequence[Layer]) -> list[Choice]:
    """Return the decisions of the search, in a fixed order.

    Raises
    ------
    SearchSpaceError
        If a quantizable layer would stay float although ``layer_indexes`` does
        not leave it out, a limit is met by no quantizer, or a listed quantizer
        is not in ``quantization_config``.
    QuantizerError
        If a quantizer string is not understood.
    """
    config = _parse_config(declared_bits(params))
    _check_patterns(params, layers)
    choices: dict[str, Choice] = {}
    for layer in layers:
        if params.layer_indexes is not None and layer.index not in params.layer_indexes:
            continue
        pattern, limits = _limit_of(layer, params)
        for kind in _kinds(layer):
            allowed = _allowed(config, kind, limits[kind], f"search.limit.{pattern}", layer.gated)
            group = pattern if pattern != layer.class_name and pattern != "default" else layer.name
            name = f"{group}_{kind}_quantizer"
            tensor = f"{layer.name}/{kind}"
            before = choices[name].tensors if name in choices else ()
            choices[name] = Choice(name, (*before, tensor), allowed)
    if not choices:
        raise SearchSpaceError("search.layer_indexes: leaves no layer to quantize")
    return list(choices.values())


def declared_bits(params: SearchParams) -> dict[str, dict[str, int]]:
    """Return bits by kind of tensor and quantizer; of a list, what its quantizers say.

    Raises
    ------
    QuantizerError
        If a quantizer of a list is not understood.
    """
    return {
        kind: entries
        if isinstance(entries, dict)
        else {
            text: parse_quantizer(text, f"search.quantization_config.{kind}").bits
            for text in entries
        }
        for kind, entries in params.quantization_config.items()
    }


def _kinds(layer: Layer) -> tuple[str, ...]:
    if not layer.recurrent:
        return DENSE_LIMIT_ORDER
    gates = () if layer.class_name == "SimpleRNN" else (GATE_KIND,)
    return (*RECURRENT_LIMIT_ORDER, *gates)


def _parse_config(
    config: Mapping[str, Mapping[str, int]],
) -> dict[str, dict[str, tuple[Quantizer, int]]]:
    unknown = sorted(set(config) - set(CONFIG_KINDS))
    if unknown:
        raise SearchSpaceError(
            f"search.quantization_config.{unknown[0]}: unknown kind of tensor; expected some of "
            f"{', '.join(CONFIG_KINDS)}"
        )
    return {
        kind: {
            text: (_parse_entry(text, bits, f"search.quantization_config.{kind}"), bits)
            for text, bits in entries.items()
        }
        for kind, entries in config.items()
    }


def _parse_entry(text: str, bits: int, key: str) -> Quantizer:
    """Parse a quantizer; its string must have the bits declared for it, which `limit` bounds."""
    quantizer = parse_quantizer(text, key)
    if bits != quantizer.bits:
        raise SearchSpaceError(f"{key}: {text}: expected {quantizer.bits} bits, found {bits}")
    return quantizer


def _check_patterns(params: SearchParams, layers: Sequence[Layer]) -> None:
    for pattern in params.limit:
        key = f"search.limit.{pattern}"
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise SearchSpaceError(f"{key}: not a regular expression: {error}") from None
        known = pattern in ("default", "SimpleRNN", "LSTM", "GRU", "Dense")
        if not known and not any(expression.match(layer.name) for layer in layers):
            names = ", ".join(layer.name for layer in layers)
            raise SearchSpaceError(f"{key}: matches no layer; layers are {names}")
    indexes = {layer.index for layer in layers}
    for index in params.layer_indexes or []:
        if index not in indexes:
            raise SearchSpaceError(
                f"search.layer_indexes: no quantizable layer has index {index}; "
                f"expected some of {sorted(indexes)}"
            )


def _limit_of(layer: Layer, params: SearchParams) -> tuple[str, dict[str, int | list[str]]]:
    """Return the pattern that bounds a layer and its limit by kind of tensor.

    As upstream: the first pattern that matches the layer's name, else its class,
    else the default. Gates share the limit of the activation, as upstream, unless a list
    has an entry more for them.
    """
    order = _kinds(layer)
    required = tuple(kind for kind in order if kind != GATE_KIND)
    matching = [p for p in params.limit if p != "default" and re.match(p, layer.name)]
    by_class = [layer.class_name] if layer.class_name in params.limit else []
    by_default = ["default"] if "default" in params.limit else []
    patterns = matching + by_class + by_default
    if not patterns:
        raise SearchSpaceError(
            f"search.limit: layer {layer.name} ({layer.class_name}) would stay float: expected a "
            "limit for its name, its class or default, or layer_indexes without it"
        )
    pattern = patterns[0]
    values = params.limit[pattern]
    if isinstance(values, int):
        return pattern, dict.fromkeys(order, values)
    if len(values) in (len(required), len(order)):
        limits = dict(zip(order, values, strict=False))
        return pattern, {GATE_KIND: limits["activation"], **limits}
    raise SearchSpaceError(
        f"search.limit.{pattern}: expected {len(required)} entries "
        f"({', '.join(required)}) for {layer.name}, found {len(values)}"
    )


def _allowed(
    config: Mapping[str, Mapping[str, tuple[Quantizer, int]]],
    kind: str,
    limit: int | list[str],
    key: str,
    gated: bool,
) -> dict[str, Quantizer]:
    entries = config.get(kind)
    if not entries:
        raise SearchSpaceError(f"search.quantization_config.{kind}: missing or empty")
    if isinstance(limit, list):
        if not limit:
            raise SearchSpaceError(f"{key}: {kind}: the list of quantizers is empty")
        unknown = [text for text in limit if text not in entries]
        if unknown:
            raise SearchSpaceError(
                f"{key}: {kind}: {unknown[0]!r} is not in search.quantization_config.{kind}"
            )
        return {text: entries[text][0] for text in limit}
    allowed = {
        text: quantizer
        for text, (quantizer, bits) in entries.items()
        # A number means what the layer can have: sigmoid and tanh are of the gates.
        if bits <= limit and (gated or quantizer.name not in _GATE_NAMES)
    }
    if not allowed:
        raise SearchSpaceError(
            f"{key}: {kind}: no quantizer of search.quantization_config.{kind} "
            f"has {limit} bits or fewer"
        )
    return allowed


def filter_names(params: SearchParams, layers: Iterable[Layer]) -> list[str]:
    """Return the decisions on widths, by AutoQKeras' names.

    Parameters
    ----------
    params
        The ``search`` section; as upstream, exceptions are searched for in the
        name of a layer (``re.search``). null excepts none.
    layers
        The layers that are searched.
    """
    exceptions = params.tune_filters_exceptions
    tuned = [
        layer.name
        for layer in layers
        if layer.recurrent and not (exceptions is not None and re.search(exceptions, layer.name))
    ]
    if params.tune_filters == "none" or not tuned:
        return []
    if params.tune_filters == "block":
        return [FILTERS]
    return [f"{FILTERS}_{name}" for name in tuned]


def chosen_units(values: Mapping[str, Any], units: int) -> int:
    """Return the recurrent layer's width for one set of decisions.

    Parameters
    ----------
    values
        keras-tuner's values by name.
    units
        Width of the float network.
    """
    factors = [value for name, value in values.items() if name.startswith(FILTERS)]
    return scaled_units(units, factors[0]) if factors else units
