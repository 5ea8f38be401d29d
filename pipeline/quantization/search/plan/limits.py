"""``limit``: most bits, or quantizers, of each kind of tensor of a layer, as in AutoQKeras.

AutoQKeras' configurations name layers of any network. What it knows and this network lacks is
left out and named, a name that neither has is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.base.errors import PipelineError, Problems
from pipeline.params.quantizers import Limit

Entry = int | list[str]

DEFAULT = "default"
# Order of the entries of one limit, as in AutoQKeras, with the state added.
DENSE_LIMIT_ORDER = ("kernel", "bias", "activation")
RECURRENT_LIMIT_ORDER = ("kernel", "bias", "recurrent_kernel", "activation", "state")
GATE_KIND = "recurrent_activation"
STATE_KIND = "state"
CONFIG_KINDS = (*RECURRENT_LIMIT_ORDER, GATE_KIND)
# Of layers that the network lacks.
OTHER_KINDS = ("linear", "pointwise_kernel")

_CELLS = {"SimpleRNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru"}
# AutoQKeras' classes that the network never has, and how Keras names such layers.
_OTHER_CLASSES = {
    "Activation": "activation",
    "BatchNormalization": "batch_normalization",
    "Bidirectional": "bidirectional",
    "Conv1D": "conv1d",
    "Conv2D": "conv2d",
    "Conv2DTranspose": "conv2d_transpose",
    "DepthwiseConv2D": "depthwise_conv2d",
    "SeparableConv1D": "separable_conv1d",
    "SeparableConv2D": "separable_conv2d",
}


@dataclass(frozen=True)
class LayerLimit:
    """What bounds the quantizers of one layer.

    Attributes
    ----------
    pattern
        The key of ``search.limit``.
    entries
        Most bits, or quantizers, by kind of tensor.
    state_of_activation
        Whether the state has no entry of its own and takes that of the activation.
    """

    pattern: str
    entries: dict[str, Entry]
    state_of_activation: bool


def unknown_to_network(pattern: str, cell: str) -> bool:
    """Whether a key of ``search.limit`` is a class, or Keras' name of a layer, that is not there.

    Of the cells, only names count: limits of all three classes may stand side by side.
    """
    others = {name: keras for name, keras in _CELLS.items() if name != cell} | _OTHER_CLASSES
    named = re.match(r"\^?\(*(\w+?)(?:_?\d*)(?![a-z0-9_])", pattern)
    return pattern in _OTHER_CLASSES or (named is not None and named[1] in others.values())


def check_patterns(patterns: Iterable[str], layers: Iterable[str], cell: str) -> None:
    """Check the keys of ``search.limit``.

    Parameters
    ----------
    patterns
        The keys.
    layers, cell
        Names of the network's layers, and the class of the recurrent one.

    Raises
    ------
    PipelineError
        With a line for each key that is no regular expression, or names nothing that
        AutoQKeras knows.
    """
    names, problems = list(layers), Problems()
    for pattern in patterns:
        with problems.collected():
            expression = compiled(pattern, f"search.limit.{pattern}")
            known = pattern in (DEFAULT, *_CELLS, "Dense") or unknown_to_network(pattern, cell)
            if not known and not any(expression.match(name) for name in names):
                raise PipelineError(
                    f"search.limit.{pattern}: matches no layer; layers are {', '.join(names)}"
                )
    problems.raise_as(PipelineError)


def compiled(pattern: str, key: str) -> re.Pattern[str]:
    """Return a regular expression; the error names its key."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise PipelineError(f"{key}: not a regular expression: {error}") from None


def limit_of(
    limit: Mapping[str, Limit], name: str, class_name: str, recurrent: Mapping[str, str]
) -> LayerLimit:
    """Return what bounds a layer.

    As upstream: the first pattern that matches the layer's name, else its class, else the
    default. Gates share the entry of the activation, as upstream, unless there is one more
    for them. So does the state where an entry is left out for it, which upstream does not
    know. A list that a recurrent and a Dense layer share is in the order of the recurrent one.

    Parameters
    ----------
    limit
        ``search.limit``.
    name, class_name
        Of the layer.
    recurrent
        Class by name of all recurrent layers of the network.

    Raises
    ------
    PipelineError
        If nothing bounds the layer, or a list has another number of entries.
    """
    matching = [p for p in limit if p != DEFAULT and re.match(p, name)]
    patterns = matching + [p for p in (class_name, DEFAULT) if p in limit]
    if not patterns:
        raise PipelineError(
            f"search.limit: layer {name} ({class_name}) would stay float: expected a "
            "limit for its name, its class or default, or layer_indexes without it"
        )
    pattern, order = patterns[0], kinds_of(class_name)
    values = limit[pattern]
    if isinstance(values, int):
        return LayerLimit(pattern, dict.fromkeys(order, values), False)
    shared = pattern != class_name and any(
        pattern == DEFAULT or re.match(pattern, other) for other in recurrent
    )
    whose, of_class = next(iter(recurrent.items())) if shared else (name, class_name)
    named = _named(values, of_class)
    if named is None:
        raise PipelineError(
            f"search.limit.{pattern}: expected {_expected(of_class)} for {whose}, "
            f"found {len(values)}"
        )
    entries = {STATE_KIND: named["activation"], GATE_KIND: named["activation"], **named}
    return LayerLimit(pattern, {kind: entries[kind] for kind in order}, STATE_KIND not in named)


def kinds_of(class_name: str) -> tuple[str, ...]:
    """Return the kinds of tensors of a layer, in the order of the entries of its limit."""
    if class_name not in _CELLS:
        return DENSE_LIMIT_ORDER
    return RECURRENT_LIMIT_ORDER if class_name == "SimpleRNN" else CONFIG_KINDS


def _named(values: Sequence[Entry], class_name: str) -> dict[str, Entry] | None:
    """Return the entries of a list by kind; None if their number is wrong."""
    order = kinds_of(class_name)
    fewest = len(order) if class_name not in _CELLS else RECURRENT_LIMIT_ORDER.index(STATE_KIND)
    if not fewest <= len(values) <= len(order):
        return None
    return dict(zip(order, values, strict=False))


def _expected(class_name: str) -> str:
    if class_name not in _CELLS:
        return f"{len(DENSE_LIMIT_ORDER)} entries ({', '.join(DENSE_LIMIT_ORDER)})"
    most = kinds_of(class_name)
    gates = f", and one more for {GATE_KIND}" if GATE_KIND in most else ""
    return (
        f"{len(RECURRENT_LIMIT_ORDER)} entries ({', '.join(RECURRENT_LIMIT_ORDER)}), "
        f"or one less without the state{gates},"
    )
