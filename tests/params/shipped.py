"""The shipped parameters, and the keys and types that they have."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from pipeline.params import load_params
from pipeline.params.section import Section
from tests.imports import ROOT

SHIPPED = ROOT / "params.yaml"
TREE = load_params(SHIPPED).model_dump()


def changed(key: str, value: object) -> dict:
    """Return the shipped tree with the dotted `key` set."""
    tree = copy.deepcopy(TREE)
    *sections, last = key.split(".")
    branch = tree
    for section in sections:
        branch = branch[section]
    branch[last] = value
    return tree


def removed(key: str) -> dict:
    tree = copy.deepcopy(TREE)
    *sections, last = key.split(".")
    branch = tree
    for section in sections:
        branch = branch[section]
    del branch[last]
    return tree


def fields(model: type[Section], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Return every field of a section and of the sections in it, with its dotted key."""
    for name, field in model.model_fields.items():
        yield above + name, field
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from fields(field.annotation, f"{above}{name}.")
