"""The pages: links lead somewhere, pictures are small, and the README stays short."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.imports import ROOT

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "benchmarks").glob("*.md"))]
MODULE = re.compile(r"`(pipeline/[\w/.]+)`")


def anchors(page: Path) -> set[str]:
    """Return GitHub's anchors of the headings."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_named_files_exist(page):
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
    for name in MODULE.findall(text):
        assert (ROOT / name).exists(), name


def test_the_readme_can_be_read_in_a_minute():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 120


def test_pictures_are_small():
    for picture in (ROOT / "docs" / "images").iterdir():
        assert picture.stat().st_size < 100_000, picture
