"""``params.yaml`` as frozen, validated objects: the only reader of that file.

Every section of ``params.yaml`` is one pydantic model. Unknown keys, missing
keys, wrong types and values out of range are errors that name the dotted key
(``search.goal.delta_p``). Units stand in the names.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode

from pipeline.base.errors import PipelineError
from pipeline.params.detector import DataParams, PrepareParams, SimulateParams
from pipeline.params.energy import EnergyParams
from pipeline.params.evaluation import EvaluateParams
from pipeline.params.firmware import ImplementParams, RtlParams, SurveyParams, SynthesizeParams
from pipeline.params.network import FinetuneParams, SearchParams, TrainParams
from pipeline.params.processes import ProcessesParams
from pipeline.params.section import Section

PARAMS_FILE = Path("params.yaml")


class ParamsError(PipelineError):
    """Values in ``params.yaml`` cannot be used.

    Parameters
    ----------
    message
        A line for each of them.
    keys
        Their dotted keys.
    """

    def __init__(self, message: str, keys: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.keys = frozenset(keys)


class Params(Section):
    """The whole of ``params.yaml``."""

    data: DataParams
    simulate: SimulateParams
    prepare: PrepareParams
    train: TrainParams
    energy: EnergyParams
    search: SearchParams
    finetune: FinetuneParams
    synthesize: SynthesizeParams
    rtl: RtlParams
    implement: ImplementParams
    survey: SurveyParams
    evaluate: EvaluateParams
    processes: ProcessesParams


class _Constructor(SafeConstructor):
    """Safe constructor that refuses merge keys: every value stands where it is read."""

    def flatten_mapping(self, node: MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise ConstructorError(None, None, "merge keys (<<) are not read", key.start_mark)
        super().flatten_mapping(node)


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate a parameter file.

    Parameters
    ----------
    path
        A YAML file; ``params.yaml`` of the working directory by default.

    Raises
    ------
    ParamsError
        If the file is missing, is not YAML, or holds an unknown key, a wrong
        type or a value out of range. The message names file and dotted key.
    """
    return parse_params(read_tree(path), str(path))


def read_tree(path: Path) -> Any:
    """Return what stands in a parameter file, unchecked; see `load_params`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not UTF-8: {error}") from error
    parser = YAML(typ="safe")  # DVC's parser, so both read the same values
    parser.Constructor = _Constructor
    try:
        tree: Any = parser.load(text)
    except (YAMLError, ValueError, LookupError, RecursionError) as error:
        raise ParamsError(f"{path}: not valid YAML: {_yaml_problem(error)}") from error
    return tree


def parse_params(tree: Any, origin: str = "params") -> Params:
    """Validate an already parsed tree; see `load_params`. The error has a line for each value."""
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        items = error.errors(include_url=False)
        lines = [f"{origin}: {line}" for item in items for line in _explain(item)]
        raise ParamsError("\n".join(lines), map(_key_of, items)) from None


def _yaml_problem(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        words = [error.context, error.problem] if error.context else [error.problem]
        mark = error.problem_mark
        return f"{', '.join(words)}, line {mark.line + 1}, column {mark.column + 1}"
    return " ".join(str(error).split())


def _key_of(item: Any) -> str:
    return ".".join(map(str, item["loc"])) or "(top level)"


def _explain(item: Any) -> list[str]:
    """Return a line for each problem of one value, with its key."""
    key = _key_of(item)
    if item["type"] == "extra_forbidden":
        return [f"{key}: unknown key"]
    if item["type"] == "missing":
        return [f"{key}: missing"]
    lines = item["msg"].removeprefix("Value error, ").splitlines()
    found = repr(item["input"])
    quoted = isinstance(item["input"], str) and found in item["msg"]
    named = isinstance(item["input"], (dict, list)) or quoted
    return [
        f"{key}: {line[0].lower()}{line[1:]}" + ("" if named else f", found {found}")
        for line in lines
    ]
