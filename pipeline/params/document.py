"""docs/parameters.md: every parameter with its range, its shipped value and its meaning.

The sections in this folder are the only source: pydantic turns them into a JSON schema, and
this module writes that as Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.params import Params

_HEADER = """# Parameters

Every key of `params.yaml`, by section. The page is written from the descriptions in
`pipeline/params/` and the values in `params.yaml`; after a change of either,
`python -m pipeline.params --document > docs/parameters.md` renews it.

BC stands for bunch crossing, 25 ns. Units are part of the names.
"""
_TABLE_HEAD = ["", "| key | value | shipped | meaning |", "| --- | --- | --- | --- |"]
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}
_WORDS = {
    "string": "text",
    "boolean": "`true` or `false`",
    "null": "`null`",
    "object": "mapping",
}


def document(params: Params) -> str:
    """Return docs/parameters.md.

    Parameters
    ----------
    params
        The values to be shown as the shipped ones.
    """
    schema = Params.model_json_schema()
    sections: Mapping[str, Any] = schema["$defs"]
    lines = [_HEADER]
    for name, reference in schema["properties"].items():
        section = _section_of(reference, sections)
        lines += [f"## {name}", "", section["description"].replace("``", "`"), *_TABLE_HEAD]
        lines += _rows(name, section, sections, params.model_dump()[name])
        lines.append("")
    return "\n".join(lines[:-1]) + "\n"


def _section_of(field: Mapping[str, Any], sections: Mapping[str, Any]) -> Any:
    return sections.get(field.get("$ref", "").removeprefix("#/$defs/"))


def _rows(
    above: str, section: Mapping[str, Any], sections: Mapping[str, Any], values: Mapping[str, Any]
) -> Iterator[str]:
    """Return the rows of a section and of the sections in it."""
    for name, field in section["properties"].items():
        key = f"{above}.{name}"
        inner = _section_of(field, sections)
        if inner is not None:
            yield from _rows(key, inner, sections, values[name])
        else:
            cells = [f"`{key}`", _kind(field), _shipped(values[name]), field["description"]]
            yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _kind(schema: Mapping[str, Any]) -> str:
    """Return type and range in words, from one field's JSON schema."""
    if "anyOf" in schema:
        return ", or ".join(_kind(branch) for branch in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        *values, last = (f"`{value}`" for value in schema["enum"])
        return f"{', '.join(values)} or {last}"
    if schema["type"] == "array":
        fewest, most = schema.get("minItems", 0), schema.get("maxItems")
        size = f"list of {fewest}" if fewest == most else "list, not empty" if fewest else "list"
        return f"{size}: {_kind(schema['items'])}"
    if {"minimum", "maximum"} <= set(schema):
        return f"{schema['type']}, {schema['minimum']} to {schema['maximum']}"
    words = [_WORDS.get(schema["type"], schema["type"])]
    words += [text.format(schema[bound]) for bound, text in _BOUNDS.items() if bound in schema]
    if "minLength" in schema:
        words.append("not empty")
    if "pattern" in schema:
        pattern = schema["pattern"].removeprefix(r"\A").removesuffix(r"\z")
        words.append(f"`{pattern}`")
    return ", ".join(words)


def _shipped(value: object) -> str:
    if isinstance(value, dict):
        return "see params.yaml"
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"
