"""``params.yaml`` as frozen, validated objects: the only reader of that file.

Every section of ``params.yaml`` is one pydantic model. Unknown keys, missing
keys, wrong types and values out of range are errors that name the dotted key
(``search.goal.delta_p``). Units stand in the names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode

from pipeline.base.errors import PipelineError
from pipeline.params.detector import DataParams, PrepareParams, SimulateParams
from pipeline.params.evaluation import EvaluateParams
from pipeline.params.firmware import ImplementParams, RtlParams, SurveyParams, SynthesizeParams
from pipeline.params.network import EnergyParams, FinetuneParams, SearchParams, TrainParams
from pipeline.params.processes import ProcessesParams
from pipeline.params.section import Section

PARAMS_FILE = Path("params.yaml")


class ParamsError(PipelineError):
    """A value in ``params.yaml`` cannot be used."""


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
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not UTF-8: {error}") from error
    parser = YAML(typ="safe")  # DVC's parser, so both read the same values
    parser.Constructor = _Constructor
    try:
        tree = parser.load(text)
    except (YAMLError, ValueError, LookupError, RecursionError) as error:
        raise ParamsError(f"{path}: not valid YAML: {_yaml_problem(error)}") from error
    return parse_params(tree, str(path))


def parse_params(tree: Any, origin: str = "params") -> Params:
    """Validate an already parsed tree; see `load_params`."""
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        lines = [f"{origin}: {_explain(item)}" for item in error.errors(include_url=False)]
        raise ParamsError("\n".join(lines)) from None


def _yaml_problem(error: Exception) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        words = [error.context, error.problem] if error.context else [error.problem]
        mark = error.problem_mark
        return f"{', '.join(words)}, line {mark.line + 1}, column {mark.column + 1}"
    return " ".join(str(error).split())


def _explain(item: Any) -> str:
    key = ".".join(map(str, item["loc"])) or "(top level)"
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if item["type"] == "missing":
        return f"{key}: missing"
    message = item["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if isinstance(item["input"], (dict, list)):
        return f"{key}: {message}"
    return f"{key}: {message}, found {item['input']!r}"
