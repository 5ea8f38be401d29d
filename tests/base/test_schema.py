"""An artifact that is not what its schema says is one error that names file and key."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
import pytest
from pydantic import Field

from pipeline.base.files import ArtifactError, read_json
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


class Doubled(Part):
    @cached_property
    def twice(self) -> np.ndarray:
        return np.array([2 * self.bits, 0])


def test_cached_values_are_neither_compared_nor_copied_nor_written(tmp_path):
    one, other = Doubled(bits=3), Doubled(bits=3)
    assert one.twice is one.twice
    assert other.twice[0] == 6
    assert one == other
    assert hash(one) == hash(other)
    assert one != Doubled(bits=4)
    assert one != Part(bits=3)
    assert one.model_copy(update={"bits": 5}).twice[0] == 10
    assert one.model_copy(deep=True) == one
    write(tmp_path / "part.json", one)
    assert read_json(tmp_path / "part.json") == {"bits": 3}


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
