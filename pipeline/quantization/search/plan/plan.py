"""The plan of a search: its blocks and prices, and checks before anything is trained.

A quantizer that has no price, or a width of no units, would otherwise be met by the
first trial that draws it, hours later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.base.architecture import INPUT, Architecture
from pipeline.base.errors import Problems
from pipeline.params.energy import EnergyParams
from pipeline.params.network import MAX_UNITS, SearchParams
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.energy.description import EnergyError
from pipeline.quantization.energy.network import source_type
from pipeline.quantization.energy.number_types import type_of
from pipeline.quantization.search.plan.blocks import (
    Block,
    group_layers,
    hyperband_trials,
    plan_blocks,
)
from pipeline.quantization.search.plan.rounding import check_cell, check_state, rounded_choices
from pipeline.quantization.search.plan.space import (
    HIGHEST_RATE,
    LEARNING_RATE,
    LEARNING_RATE_CHOICES,
    Choice,
    Layer,
    SearchSpaceError,
    build_search_space,
    filter_names,
    network_layers,
)
from pipeline.quantization.search.plan.sums import check_sums
from pipeline.quantization.search.plan.uniform import uniform_networks
from pipeline.quantization.training.resizing import scaled_units
from pipeline.quantizers.hardware import (
    ACTIVATIONS,
    check_scale,
    check_weight,
    stored_type,
)
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer


def check_widths(params: SearchParams, layers: Sequence[Layer], units: int) -> int:
    """Check that every factor of ``search.filter_range`` gives a network, if any is used.

    Parameters
    ----------
    params, layers
        What is searched.
    units
        Width of the float network, ``train.units``.

    Returns
    -------
    int
        The largest width that a trial may have.

    Raises
    ------
    SearchSpaceError
        If a width is below 1 or beyond what ``train.units`` may be.
    """
    if not filter_names(params, layers):
        return units
    problems = Problems()
    for factor in params.filter_range:
        width = units * factor
        with problems.collected():
            if not 1 <= width < MAX_UNITS + 1:
                raise SearchSpaceError(
                    f"search.filter_range: {factor:g}: expected 1 to {MAX_UNITS} units, "
                    f"found {width:g} ({factor:g} times train.units: {units})"
                )
    problems.raise_as(SearchSpaceError)
    return max(scaled_units(units, factor) for factor in params.filter_range)


def check_prices(
    params: SearchParams,
    blocks: Sequence[Block],
    points: Mapping[int, Mapping[str, Quantizer]],
    costs: CostModel,
) -> None:
    """Check that the cost model has a price for whatever the search can train.

    Every quantizer is priced by itself, then in the network, where those of the other
    tensors are the first of their lists. That is enough: what has no price besides
    single quantizers are products with tensors that are still float, and which those are
    follows from the block.

    Parameters
    ----------
    params
        The ``search`` section.
    blocks
        In the order in which they are searched; tensors of later ones are float.
    points
        Quantizers by tensor of the uniform networks, by their bits.
    costs
        What prices networks.

    Raises
    ------
    SearchSpaceError
        Naming the parameter and the quantizer.
    """
    fixed = {INPUT: parse_quantizer(params.input_quantizer, "search.input_quantizer")}
    problems = Problems()
    with problems.collected():
        _check_types(fixed[INPUT].text, "search.input_quantizer")
    for choice in (choice for block in blocks for choice in block.choices):
        kind = choice.tensors[0].split("/")[-1]
        for text in choice.quantizers:
            with problems.collected():
                _check_types(text, f"search.quantization_config.{kind}")
    problems.raise_as(SearchSpaceError)  # no network with them has a price either
    decided: list[Choice] = []
    for block in blocks:
        decided += block.choices
        first = fixed | {
            tensor: next(iter(choice.quantizers.values()))
            for choice in decided
            for tensor in choice.tensors
        }
        _check_price(costs, first, f"search.quantization_config: block {block.pattern}")
        for choice in decided:
            for text, quantizer in choice.quantizers.items():
                where = f"search.quantization_config: {choice.name}: {text}"
                with problems.collected():
                    _check_price(costs, first | dict.fromkeys(choice.tensors, quantizer), where)
    for bits, quantizers in points.items():
        with problems.collected():
            _check_price(costs, quantizers, f"search.uniform_bits: {bits}")
    problems.raise_as(SearchSpaceError)


def _check_types(text: str, key: str) -> None:
    """Check that the energy model knows the type of a quantizer; its message has the key."""
    try:
        type_of(text, key)
    except EnergyError as error:
        raise SearchSpaceError(f"{error} (no price: docs/energy.md)") from None


def _check_price(costs: CostModel, quantizers: Mapping[str, Quantizer], where: str) -> None:
    try:
        costs.trial(quantizers)
    except EnergyError as error:
        raise SearchSpaceError(f"{where}: no price: {error}") from None


def check_space_exportable(
    architecture: Architecture, choices: Iterable[Choice], input_quantizer: str
) -> None:
    """Check that every quantizer that a search can choose is one of hardware.

    Raises
    ------
    SearchSpaceError
        With a line for each activation that is no fixed-point type, and each quantizer whose
        scale is no power of two, or that is a leaky ReLU of a weight.
    """
    problems, key = Problems(), "search.input_quantizer"
    with problems.collected():
        stored_type(architecture, INPUT, parse_quantizer(input_quantizer, key), key)
    for choice in choices:
        for tensor in choice.tensors:
            for quantizer in choice.quantizers.values():
                with problems.collected():
                    check_scale(tensor, quantizer)
                    if tensor.endswith(ACTIVATIONS):
                        key = f"search.quantization_config: {tensor}"
                        stored_type(architecture, tensor, quantizer, key)
                    else:
                        check_weight(tensor, quantizer)
    problems.raise_as(SearchSpaceError)


def _check_space_sums(
    architecture: Architecture, choices: Iterable[Choice], input_quantizer: str, units: int
) -> None:
    by_tensor = {
        tensor: list(choice.quantizers.values()) for choice in choices for tensor in choice.tensors
    }
    by_tensor[INPUT] = [parse_quantizer(input_quantizer, "search.input_quantizer")]
    check_sums(architecture, units, by_tensor)


def plan_search(
    params: SearchParams, energy: EnergyParams, architecture: Architecture
) -> tuple[list[Block], CostModel]:
    """Return the blocks that will be searched, and what prices networks.

    All that can be wrong with the ``search`` section is an error here, before anything
    is trained, and before TensorFlow is loaded. The error has a line for each fault; what
    could not be looked at because of them follows once they are mended.

    Raises
    ------
    SearchSpaceError
        Naming the keys.
    """
    layers = network_layers(architecture.cell)
    choices: list[Choice] = []
    points: dict[int, dict[str, Quantizer]] = {}
    widest = architecture.units
    problems = Problems()
    with problems.collected():
        check_cell(params, architecture)
    with problems.collected():
        choices = rounded_choices(params, architecture, build_search_space(params, layers))
    with problems.collected():
        group_layers(params, layers)
    with problems.collected():
        widest = check_widths(params, layers, architecture.units)
    with problems.collected():
        if energy.source_quantizer is not None:
            source_type(energy.source_quantizer)
    with problems.collected():
        check_space_exportable(architecture, choices, params.input_quantizer)
    with problems.collected():
        points = uniform_networks(params, architecture)
    problems.raise_as(SearchSpaceError)
    with problems.collected():
        check_state(params, choices)
    with problems.collected():
        _check_space_sums(architecture, choices, params.input_quantizer, widest)
    costs = CostModel(architecture, energy, params.goal.type)
    blocks = plan_blocks(params, layers, choices, costs.reference_by_layer())
    with problems.collected():
        check_prices(params, blocks, points, costs)
    problems.raise_as(SearchSpaceError)
    return blocks, costs


def planned_trials(params: SearchParams, block: Block) -> int:
    """Return how many trials a block will ask for at most."""
    if params.mode == "hyperband":
        return hyperband_trials(params.epochs, block.combinations)
    if params.mode == "halving":
        return block.max_trials + min(params.survivors, block.max_trials) + params.descents
    return block.max_trials


def too_many_trials(block: Block, params: SearchParams) -> list[str]:
    """Return a line where a block has fewer combinations than trials are asked for."""
    if params.mode == "hyperband":
        key, wanted = "epochs", hyperband_trials(params.epochs)
        given = planned_trials(params, block)
    else:
        key, wanted, given = "max_trials", block.wanted, block.max_trials
    if given == wanted:
        return []
    return [
        f"  search.{key}: {getattr(params, key)}: would be {wanted} trials, but there are "
        f"{block.combinations} combinations: {given} are asked for"
    ]


def describe(blocks: Sequence[Block], params: SearchParams) -> str:
    """Return the plan as text: blocks, costs, trials and sizes of the spaces."""
    unit = "pJ" if params.goal.type == "energy" else "bits"
    lines = []
    for number, block in enumerate(blocks, 1):
        lines.append(
            f"block {number}: {block.pattern}: {', '.join(block.layers)}: "
            f"{block.cost:.2f} of {block.reference:.2f} {unit} in the reference, "
            f"{planned_trials(params, block)} trials of {block.combinations} combinations"
        )
        lines += too_many_trials(block, params)
        for choice in block.choices:
            options = ", ".join(quantizer.text for quantizer in choice.quantizers.values())
            lines.append(f"  {choice.name}: {' = '.join(choice.tensors)}: {options}")
        for name in block.filters:
            factors = ", ".join(f"{factor:g}" for factor in params.filter_range)
            lines.append(f"  {name}: {factors} of the units")
        if params.learning_rate_optimizer:
            lines.append(
                f"  {LEARNING_RATE}: {params.learning_rate:g} times one of "
                f"{LEARNING_RATE_CHOICES} factors, from trial cost / reference cost "
                f"(at most 1) to {HIGHEST_RATE:g}"
            )
    return "\n".join(lines) + "\n"
