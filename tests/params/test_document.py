"""docs/parameters.md says of every parameter what it is."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from pipeline.params import Params, load_params, parse_params
from pipeline.params.document import document
from tests.imports import ROOT
from tests.params.shipped import SHIPPED, TREE, changed, fields

PAGE = ROOT / "docs" / "parameters.md"
COMMAND = [sys.executable, "-m", "pipeline.params", "--document"]
SECTIONS = {"pulse", "pileup", "bunch_train", "signal", "noise", "adc", "optimal_filter", "goal"}


def keys(tree: dict, above: str = "") -> list[str]:
    """Return the dotted key of every value; two sections of `search` are values as a whole."""
    names = []
    for name, value in tree.items():
        if isinstance(value, dict) and (not above or name in SECTIONS):
            names += keys(value, f"{above}{name}.")
        else:
            names.append(above + name)
    return names


def rows(page: str) -> dict[str, list[str]]:
    """Return the cells behind each key."""
    table = [re.split(r"(?<!\\)\|", line) for line in page.splitlines() if line.startswith("| `")]
    return {cells[1].strip(" `"): [cell.strip() for cell in cells[2:-1]] for cells in table}


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == document(load_params(SHIPPED)), (
        "run: python -m pipeline.params --document > docs/parameters.md"
    )


def test_the_command_prints_the_page():
    result = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, check=True)
    assert result.stdout.decode("utf-8") == PAGE.read_text(encoding="utf-8")


def test_every_key_of_the_file_has_its_row():
    assert sorted(rows(document(load_params(SHIPPED)))) == sorted(keys(TREE))


def test_every_field_is_described():
    for key, field in fields(Params):
        text = field.description
        if text is None:  # a section says it in its docstring
            text = field.annotation.__doc__
        assert text.endswith("."), key
        assert "\n" not in text, key


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("train.units", "integer, 1 to 512"),
        ("train.learning_rate", "number, above 0, at most 1"),
        ("prepare.train_fraction", "number, above 0, below 1"),
        ("train.cell", "`SimpleRNN`, `LSTM` or `GRU`"),
        ("energy.process", "`horowitz`"),
        ("energy.rd_wr_on_io", "list of 2: `true` or `false`"),
        ("implement.families", "list, not empty: `xcup`, `cyclonev` or `ecp5`"),
        ("search.goal.max_rmse_ratio", "number, above 0, at most 1000, or `null`"),
        ("search.blocks", "list: text, or `null`"),
        ("survey.points", "integer, or list: integer, or text"),
        ("data.file", "text, not empty"),
        ("synthesize.part", "text, `[A-Za-z0-9][A-Za-z0-9_.-]*`"),
        ("search.limit", "mapping"),
    ],
)
def test_types_and_ranges(key, kind):
    assert rows(document(load_params(SHIPPED)))[key][0] == kind


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("train.min_delta", 1e-8, "`1e-08`"),
        ("search.blocks", None, "`null`"),
        ("search.blocks", ["rnn|dense"], r'`["rnn\|dense"]`'),
        ("implement.route", False, "`false`"),
        ("evaluate.label", "⟨μ⟩", "`⟨μ⟩`"),
        ("search.limit", {"default": 8}, "see params.yaml"),
    ],
)
def test_values_as_in_the_file(key, value, shown):
    assert rows(document(parse_params(changed(key, value))))[key][1] == shown
