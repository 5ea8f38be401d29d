"""The order of the tests: on two cores, a long file that starts last decides how long all take."""

from __future__ import annotations

import pytest

# Half a minute or more each, the longest first; quick tests alone, then with the slow ones.
LONGEST = [
    "tests/test_end_to_end.py",
    "tests/stages/test_search_processes.py",
    "tests/firmware/rtl/test_stream.py",
    "tests/firmware/rtl/test_project.py",
    "tests/quantization/search/test_state.py",
    "tests/stages/test_gated_stages.py",
    "tests/firmware/hls/test_layer_outputs.py",
    "tests/stages/test_finetune.py",
    "tests/stages/test_search.py",
    "tests/firmware/synthesis/test_implementation.py",
    "tests/stages/test_survey.py",
    "tests/stages/test_rtl.py",
    "tests/firmware/survey/test_survey.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first; the order is otherwise as it was."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(LONGEST)))
