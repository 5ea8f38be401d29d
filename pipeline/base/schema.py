"""JSON artifacts as typed, frozen, versioned models; one clear error for any other content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.base.files import ArtifactError, read_json, write_json


class Frozen(BaseModel):
    """Part of an artifact: strict types, unchangeable, no surplus key, finite numbers.

    What a model caches (`functools.cached_property`) is neither compared nor copied.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def __eq__(self, other: object) -> bool:
        # Pydantic compares everything that is stored first, and arrays have no truth value.
        return type(self) is type(other) and all(
            getattr(self, name) == getattr(other, name) for name in type(self).model_fields
        )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the fields; pydantic would copy cached values too, which `update` may outdate."""
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(self).model_fields.keys():
            del copy.__dict__[name]
        return copy


Model = TypeVar("Model", bound=Frozen)


def parse(model: type[Model], content: Mapping[str, Any], path: Path) -> Model:
    """Check the content of an artifact.

    Raises
    ------
    ArtifactError
        Naming `path`, the dotted key of the first problem, and what was found there.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "(top level)"
        raise ArtifactError(
            f"{path}: {key}: {first['msg']}, found {first['input']!r:.80}"
        ) from None


def read(model: type[Model], path: Path) -> Model:
    """Read an artifact from JSON; see `parse`."""
    return parse(model, read_json(path), path)


def write(path: Path, artifact: Frozen) -> None:
    """Write an artifact as JSON: sorted keys, the same bytes for the same content."""
    write_json(path, artifact.model_dump(mode="json"))
