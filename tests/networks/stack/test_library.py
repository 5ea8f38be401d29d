"""The core is built by g++ when it is needed, and a build of another source is not taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.networks.stack import library
from pipeline.networks.stack.library import StackError


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "BUILDS", tmp_path / "builds")
    library.load.cache_clear()
    yield
    library.load.cache_clear()


def builds() -> list[Path]:
    return sorted(library.BUILDS.glob("*"))


def test_it_is_built_once_and_leaves_nothing_else():
    assert library.load().lanes() == 8
    (built,) = builds()
    before = built.stat().st_mtime_ns
    library.load.cache_clear()
    library.load()
    assert builds() == [built]
    assert built.stat().st_mtime_ns == before


def test_another_source_has_another_name(monkeypatch, tmp_path):
    names = [library._identity()]
    changed = tmp_path / "core.cpp"
    changed.write_bytes(library._SOURCE.read_bytes() + b"\n")
    monkeypatch.setattr(library, "_SOURCE", changed)
    names.append(library._identity())
    monkeypatch.setattr(library, "FLAGS", (*library.FLAGS, "-march=x86-64"))
    names.append(library._identity())
    assert len(set(names)) == 3


def test_without_a_compiler_one_line_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StackError, match=r"g\+\+: not found on PATH"):
        library.load()


def test_what_does_not_compile_is_one_line_and_leaves_no_build(monkeypatch, tmp_path):
    broken = tmp_path / "core.cpp"
    broken.write_text("int lanes( {")
    monkeypatch.setattr(library, "_SOURCE", broken)
    with pytest.raises(StackError, match=r"cannot build core\.cpp: .*error"):
        library.load()
    assert builds() == []


def test_a_compiler_that_hangs_is_ended(monkeypatch, tmp_path):
    slow = tmp_path / "g++"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(library, "COMPILER", str(slow))
    monkeypatch.setattr(library, "_TIMEOUT_S", 0.5)
    with pytest.raises(StackError, match=r"no result after 0\.5 s"):
        library.load()
