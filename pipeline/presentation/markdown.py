"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

_RULES = {"l": "---", "r": "---:"}


def table(head: Sequence[object], rows: Sequence[Sequence[object]], align: str) -> list[str]:
    """Return the lines of a Markdown table.

    Parameters
    ----------
    head, rows
        Cells, shown as `str` does.
    align
        For each column ``l``, to the left, or ``r``, to the right.

    Raises
    ------
    ValueError
        If `align` has not one letter for each column of the head.
    """
    ruler = [_RULES[side] for _, side in zip(head, align, strict=True)]
    return [_line(cells) for cells in (head, ruler, *rows)]


def _line(cells: Sequence[object]) -> str:
    line = "| " + " | ".join(map(str, cells)) + " |"
    return line.replace("|  |", "| |")  # a cell without text is one space wide
