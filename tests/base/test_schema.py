"""An artifact that is not what its schema says is one error that names file and key."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field

from pipeline.base.files import ArtifactError
from pipeline.base.schema import Frozen, parse, read, write


class Part(Frozen):
    bits: int = Field(ge=1)


class Whole(Frozen):
    schema_version: Literal[1] = 1
    rmse_mev: float
    parts: list[Part]


WHOLE = {"schema_version": 1, "rmse_mev": 49.5, "parts": [{"bits": 3}]}


def test_what_is_written_is_read_again(tmp_path):
    whole = Whole(rmse_mev=49.5, parts=[Part(bits=3)])
    write(tmp_path / "whole.json", whole)
    assert read(Whole, tmp_path / "whole.json") == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parts": [{"bits": 3}, {"bits": 0}]}, "whole.json: parts.1.bits: .* found 0"),
        ({"parts": [{"bits": "3"}]}, "whole.json: parts.0.bits: .* found '3'"),
        ({"parts": [{"bits": 3, "more": 1}]}, "whole.json: parts.0.more: Extra inputs"),
        ({"schema_version": 2}, "whole.json: schema_version: .* found 2"),
        ({"rmse_mev": float("nan")}, "whole.json: rmse_mev: .* finite number, found nan"),
    ],
)
def test_anything_else_is_an_error_with_file_and_key(tmp_path, change, message):
    with pytest.raises(ArtifactError, match=message):
        parse(Whole, WHOLE | change, tmp_path / "whole.json")


def test_a_number_that_json_has_no_word_for_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="finite number"):
        Whole(rmse_mev=float("inf"), parts=[])
