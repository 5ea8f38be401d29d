"""``metrics/search.md``: the front of a search."""

from __future__ import annotations

from pipeline.presentation.markdown import front_table
from pipeline.quantization.search.results import Outcome, front_rows


def front_markdown(outcome: Outcome) -> str:
    """Return ``metrics/search.md``: the front as a table."""
    return "# Front of the search: energy of one inference against RMSE\n\n" + front_table(
        front_rows(outcome)
    )
