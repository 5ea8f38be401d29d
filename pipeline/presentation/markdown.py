"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def front_table(rows: Sequence[Mapping[str, str | float]]) -> str:
    """Return rows as a Markdown table, columns in the order of the first row."""
    if not rows:
        return ""
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for row in rows:
        cells = [_cell(row[name]) for name in names]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: str | float) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
