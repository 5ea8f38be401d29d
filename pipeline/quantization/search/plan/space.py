"""From ``quantization_config`` and ``limit`` to one list of quantizers per tensor.

The meaning is AutoQKeras': ``quantization_config`` lists quantizers with their
bits for each kind of tensor; ``limit`` bounds the bits
(`pipeline.quantization.search.plan.limits`). Where the two differ from upstream, upstream does
not do what it says: the recurrent kernel draws from ``recurrent_kernel`` (there
it silently drew from ``kernel``), and the state has its list (there it stayed
float), or without one that of the activation. A kind of tensor that upstream knows and
this network lacks is left out.

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

from pipeline.base.errors import PipelineError, Problems
from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.limits import (
    CONFIG_KINDS,
    DEFAULT,
    OTHER_KINDS,
    STATE_KIND,
    Entry,
    LayerLimit,
    check_patterns,
    limit_of,
    unknown_to_network,
)
from pipeline.quantization.training.resizing import scaled_units
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer

_GATE_NAMES = ("quantized_sigmoid", "quantized_tanh")

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
    problems = Problems()
    config = {}
    with problems.collected():
        config = _parse_config(declared_bits(params))
    recurrent = {layer.name: layer.class_name for layer in layers if layer.recurrent}
    with problems.collected():
        check_patterns(
            params.limit, [layer.name for layer in layers], next(iter(recurrent.values()))
        )
    with problems.collected():
        _check_indexes(params, layers)
    problems.raise_as(SearchSpaceError)  # what follows would only repeat it
    choices: dict[str, Choice] = {}
    for layer in layers:
        if params.layer_indexes is not None and layer.index not in params.layer_indexes:
            continue
        with problems.collected():
            limit = limit_of(params.limit, layer.name, layer.class_name, recurrent)
            _add_choices(choices, layer, limit, config, problems)
    problems.raise_as(SearchSpaceError)
    if not choices:
        raise SearchSpaceError("search.layer_indexes: leaves no layer to quantize")
    return list(choices.values())


def _add_choices(
    choices: dict[str, Choice],
    layer: Layer,
    limit: LayerLimit,
    config: Mapping[str, Mapping[str, tuple[Quantizer, int]]],
    problems: Problems,
) -> None:
    """Add the decisions of one layer; those of layers of one group are one."""
    pattern = limit.pattern
    group = pattern if pattern not in (layer.class_name, DEFAULT) else layer.name
    for kind, entry in limit.entries.items():
        with problems.collected():
            source = _source(kind, layer, limit, config)
            allowed = _allowed(config, source, kind, entry, f"search.limit.{pattern}", layer.gated)
            name = f"{group}_{kind}_quantizer"
            before = choices[name].tensors if name in choices else ()
            choices[name] = Choice(name, (*before, f"{layer.name}/{kind}"), allowed)


def _source(kind: str, layer: Layer, limit: LayerLimit, config: Mapping[str, Any]) -> str:
    """Return the list that a tensor draws from: a state may have that of the activation.

    It does where it has none, or where the entry that it shares with the activation lists
    quantizers. Cells with gates have a tanh there, which no state can have.
    """
    if kind != STATE_KIND or layer.gated:
        return kind
    shares_a_list = limit.state_of_activation and isinstance(limit.entries[kind], list)
    return "activation" if kind not in config or shares_a_list else kind


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


def _parse_config(
    config: Mapping[str, Mapping[str, int]],
) -> dict[str, dict[str, tuple[Quantizer, int]]]:
    problems = Problems()
    parsed: dict[str, dict[str, tuple[Quantizer, int]]] = {}
    for kind, entries in config.items():
        key = f"search.quantization_config.{kind}"
        if kind not in (*CONFIG_KINDS, *OTHER_KINDS):
            with problems.collected():
                raise SearchSpaceError(
                    f"{key}: unknown kind of tensor; expected some of {', '.join(CONFIG_KINDS)}"
                )
        parsed[kind] = {}
        for text, bits in entries.items():
            with problems.collected():
                parsed[kind][text] = (_parse_entry(text, bits, key), bits)
    problems.raise_as(SearchSpaceError)
    return parsed


def _parse_entry(text: str, bits: int, key: str) -> Quantizer:
    """Parse a quantizer; its string must have the bits declared for it, which `limit` bounds."""
    quantizer = parse_quantizer(text, key)
    if bits != quantizer.bits:
        raise SearchSpaceError(f"{key}: {text}: expected {quantizer.bits} bits, found {bits}")
    return quantizer


def _check_indexes(params: SearchParams, layers: Sequence[Layer]) -> None:
    problems = Problems()
    indexes = {layer.index for layer in layers}
    for index in params.layer_indexes or []:
        with problems.collected():
            if index not in indexes:
                raise SearchSpaceError(
                    f"search.layer_indexes: no quantizable layer has index {index}; "
                    f"expected some of {sorted(indexes)}"
                )
    problems.raise_as(SearchSpaceError)


def left_out(params: SearchParams, cell: str) -> list[str]:
    """Return the keys of the section that are about layers which this network lacks."""
    kinds = [kind for kind in params.quantization_config if kind in OTHER_KINDS]
    patterns = [pattern for pattern in params.limit if unknown_to_network(pattern, cell)]
    return [
        *(f"search.quantization_config.{kind}" for kind in kinds),
        *(f"search.limit.{pattern}" for pattern in patterns),
    ]


def _allowed(
    config: Mapping[str, Mapping[str, tuple[Quantizer, int]]],
    source: str,
    kind: str,
    limit: Entry,
    key: str,
    gated: bool,
) -> dict[str, Quantizer]:
    """Return what of the list `source` a limit leaves to a tensor of some kind."""
    entries = config.get(source)
    if not entries:
        raise SearchSpaceError(f"search.quantization_config.{source}: missing or empty")
    if isinstance(limit, list):
        if not limit:
            raise SearchSpaceError(f"{key}: {kind}: the list of quantizers is empty")
        unknown = [repr(text) for text in limit if text not in entries]
        if unknown:
            raise SearchSpaceError(
                f"{key}: {kind}: {', '.join(unknown)} is not in search.quantization_config.{source}"
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
            f"{key}: {kind}: no quantizer of search.quantization_config.{source} "
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
