"""``params.yaml`` as frozen, validated objects: the only reader of that file.

Every section of ``params.yaml`` is one pydantic model. Unknown keys, missing
keys, wrong types and values out of range are errors that name the dotted key
(``search.goal.delta_p``). Units stand in the names.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.constructor import ConstructorError

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


class _Yaml12Loader(yaml.SafeLoader):
    """Safe loader that reads ``1e-05`` as a float and refuses a repeated key, as YAML 1.2 does."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; PyYAML would let the last of two equal keys win."""
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise ConstructorError(None, None, "merge keys (<<) are not read", key.start_mark)
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if keys[number] in keys[:number]:
                raise ConstructorError(None, None, f"repeated key {keys[number]}", key.start_mark)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


_Yaml12Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:float"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml12Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
        r"|\.[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF|nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


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
    try:
        tree = yaml.load(text, Loader=_Yaml12Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    return parse_params(tree, str(path))


def parse_params(tree: Any, origin: str = "params") -> Params:
    """Validate an already parsed tree; see `load_params`."""
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        lines = [f"{origin}: {_explain(item)}" for item in error.errors(include_url=False)]
        raise ParamsError("\n".join(lines)) from None


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
