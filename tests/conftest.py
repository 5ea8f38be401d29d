"""The order of the tests: on two cores, a long file that starts last decides how long all take."""

from __future__ import annotations

import pytest

LONGEST = ["test_end_to_end", "test_search_processes", "test_layer_outputs"]  # minutes each


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; the order is otherwise as it was."""
    rank = {f"{name}.py": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(LONGEST)))
