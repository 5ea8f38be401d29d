"""Tables in Markdown."""

import pytest

from pipeline.presentation.markdown import table


def test_columns_are_aligned_and_cells_shown_as_text():
    assert table(("trial", "pJ", ""), [("07", 40.5, "a"), ("1", 2, "")], "lrl") == [
        "| trial | pJ | |",
        "| --- | ---: | --- |",
        "| 07 | 40.5 | a |",
        "| 1 | 2 | |",
    ]


def test_no_rows():
    assert table(("a", "b"), [], "ll") == ["| a | b |", "| --- | --- |"]


@pytest.mark.parametrize("align", ["l", "lll"])
def test_a_letter_for_each_column(align):
    with pytest.raises(ValueError, match="zip"):
        table(("a", "b"), [], align)
