"""The whole of ``params.yaml``, checked: all that parameters alone can tell, before any stage.

`pipeline.params` checks values by themselves. Here follow the plan of the search, with every
quantizer that it can choose, and what one section asks of another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from pipeline.artifacts.search import uniform_name
from pipeline.base.architecture import Architecture
from pipeline.base.errors import PipelineError, Problems
from pipeline.params import Params, ParamsError, parse_params, read_tree
from pipeline.params.detector import SIMULATED
from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.limits import check_patterns
from pipeline.quantization.search.plan.plan import check_widths, plan_search
from pipeline.quantization.search.plan.space import (
    build_search_space,
    left_out,
    network_layers,
)
from pipeline.samples.windows import split_bounds

# What the search space follows from.
_SPACE = ("quantization_config", "limit", "layer_indexes")
# How long the adders of one step of 32 units are looked for, measured for 32 to 64 units and up to
# 256 steps on one core of 2026; the time grows with the fourth power of the units.
_STEP_OF_32_UNITS_S = 3.0
_LONGEST_S = 600.0
# AutoQKeras' own values, as shipped.
_FORGIVING = {"delta_p": 8.0, "delta_n": 8.0, "rate": 2.0, "stress": 1.0}


def check_parameters(path: Path) -> Params:
    """Read a parameter file and check everything that can be known from it.

    Needs no TensorFlow and no data.

    Raises
    ------
    ParamsError
        With a line for each fault, which names the file and the dotted key. Faults of the
        search space are told beside those of single values; what follows from several values
        is looked at once those are valid.
    """
    tree, problems = read_tree(path), Problems()
    try:
        params = parse_params(tree, str(path))
    except ParamsError as error:
        space = _space_faults(tree, error.keys)
        lines = [str(error), *(f"{path}: {line}" for line in space)]
        raise ParamsError("\n".join(lines), error.keys) from None
    for check in (_check_plan, _check_windows, _check_networks, _check_adders):
        with problems.collected():
            check(params)
    if problems.lines:
        raise ParamsError("\n".join(f"{path}: {line}" for line in problems.lines))
    return params


def _space_faults(tree: Any, wrong: Collection[str]) -> list[str]:
    """Return what is wrong with the search space of a file with other faults, a line each."""
    keys = [*(f"search.{name}" for name in _SPACE), "train.cell"]
    if not _has(tree, keys) or {"train.cell", "search.limit"} & set(wrong):
        return []
    cell, values = tree["train"]["cell"], {name: tree["search"][name] for name in _SPACE}
    layers = network_layers(cell)
    problems = Problems()
    with problems.collected():
        if any(f"{other}.".startswith(f"{key}.") for key in keys for other in wrong):
            check_patterns(map(str, values["limit"]), [layer.name for layer in layers], cell)
        else:  # without the values that are wrong: the space does not follow from them
            build_search_space(SearchParams.model_construct(**values), layers)
    return problems.lines


def _has(tree: Any, keys: Iterable[str]) -> bool:
    """Whether a tree has all dotted keys."""
    for key in keys:
        branch = tree
        for part in key.split("."):
            if not isinstance(branch, dict) or part not in branch:
                return False
            branch = branch[part]
    return True


def _check_plan(params: Params) -> None:
    plan_search(params.search, params.energy, _architecture(params))


def _architecture(params: Params) -> Architecture:
    return Architecture(params.train.cell, params.train.units, params.prepare.window_length)


def _check_windows(params: Params) -> None:
    """Check that the generated sequence has windows for every split."""
    if Path(params.data.file) != SIMULATED:
        return
    prepare = params.prepare
    try:
        split_bounds(
            params.simulate.n_bc,
            prepare.window_length,
            prepare.train_fraction,
            prepare.validation_fraction,
        )
    except PipelineError as error:
        raise PipelineError(f"simulate.n_bc, prepare: {error}") from None


def _check_networks(params: Params) -> None:
    """Check that the uniform networks that later stages name are trained by the search."""
    trained = {uniform_name(bits) for bits in params.search.uniform_bits}
    wanted = [("finetune.trial", params.finetune.trial)]
    if params.train.cell == "SimpleRNN":  # there is no survey of others
        points = params.survey.points
        wanted += [("survey.points", name) for name in (points if isinstance(points, list) else [])]
        if trained:
            uniform = map(uniform_name, params.survey.uniform_bits)
            wanted += [("survey.uniform_bits", name) for name in uniform]
    problems = Problems()
    for key, name in wanted:
        with problems.collected():
            if str(name).startswith("uniform_") and name not in trained:
                raise PipelineError(
                    f"{key}: {name}: expected one of search.uniform_bits: "
                    f"{', '.join(map(str, params.search.uniform_bits)) or 'none'}"
                )
    problems.raise_as(PipelineError)


def _check_adders(params: Params) -> None:
    """Check that the adders of the RTL can be found in reasonable time: it comes hours later."""
    if params.train.cell != "SimpleRNN":
        return
    steps = params.prepare.window_length
    layers = network_layers(params.train.cell)
    units = max(params.train.units, check_widths(params.search, layers, params.train.units))
    if (needed_s := steps * _STEP_OF_32_UNITS_S * (units / 32) ** 4) > _LONGEST_S:
        most = int(32 * (_LONGEST_S / steps / _STEP_OF_32_UNITS_S) ** 0.25)
        raise PipelineError(
            f"train.units, search.filter_range, prepare.window_length: {units} units and {steps} "
            f"samples: looking for the adders of the RTL would take about {needed_s / 3600:.1f} h "
            f"(an estimate); expected at most {most} units for {steps} samples"
        )


def notes(search: SearchParams, cell: str) -> list[str]:
    """Return what is allowed in the section `search` and has no effect, a line each.

    Parameters
    ----------
    search
        The section.
    cell
        ``train.cell``.
    """
    lines = [f"{key}: this network has none of these; left out" for key in left_out(search, cell)]
    if search.goal.max_rmse_ratio is not None:
        changed = [
            f"search.goal.{name}"
            for name, value in _FORGIVING.items()
            if getattr(search.goal, name) != value
        ]
        if changed:
            lines.append(
                f"{', '.join(changed)}: no effect while search.goal.max_rmse_ratio is set "
                "(null: AutoQKeras' score)"
            )
    if search.layer_indexes is not None:
        searched = search.layer_indexes
        left = [layer.name for layer in network_layers(cell) if layer.index not in searched]
        if left:
            lines.append(
                f"search.layer_indexes: {', '.join(left)} stays float: finetune and survey can "
                "build no trial, only uniform networks"
            )
    return lines
