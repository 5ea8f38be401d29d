"""Imports point one way: stages -> fields of knowledge -> integers, samples -> base."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.imports import ROOT, direct_imports

# What a folder may import, besides itself. A file directly in ``pipeline/`` is a stage.
MAY_IMPORT = {
    "base": set(),
    "quantizers": {"base"},
    "params": {"base", "quantizers"},
    "samples": {"base"},
    "repository": {"base", "params"},
    "presentation": {"base"},
    "artifacts": {"base", "integers"},
    "detector": {"base", "params"},
    "given_network": {"base"},
    "networks": {"base", "params", "samples"},
    "integers": {"base"},
    "evaluation": {"base", "params", "samples", "presentation"},
    "quantization": {
        "base",
        "quantizers",
        "params",
        "samples",
        "networks",
        "integers",
        "artifacts",
    },
    "firmware": {"base", "params", "samples", "integers", "artifacts"},
    "reports": {"base", "presentation", "artifacts"},
}
# The same inside the folders that have folders.
QUANTIZATION = {
    "energy": set(),
    "training": set(),
    "search": {"energy", "training"},
    "finetuning": {"energy", "training"},
    "learned_bits": {"training", "finetuning"},
}
FIRMWARE = {
    "processes.py": set(),
    "hls": {"processes.py"},
    "rtl": {"processes.py"},
    "event_simulation": {"processes.py", "rtl"},
    "synthesis": {"processes.py", "rtl"},
    "vendors": {"processes.py", "rtl"},
    "survey": {"processes.py", "rtl", "synthesis"},
}
FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "pipeline").rglob("*.py"))
MOST_FILES = 10
STAGES_FOLDER = Path("pipeline")  # one file a stage: as many as there are


def imports(file: Path) -> set[Path]:
    return {path for path in direct_imports(file) if path.name != "__init__.py"}


def check(file: Path, depth: int, may_import: dict[str, set[str]]) -> None:
    if file.name == "__main__.py":  # a command, as a stage is
        return
    room = file.parts[depth]
    for other in imports(file):
        if other.parts[:depth] == file.parts[:depth]:
            assert other.parts[depth] in may_import[room] | {room}, f"{file} imports {other}"


@pytest.mark.parametrize("file", [file for file in FILES if len(file.parts) > 2], ids=str)
def test_imports_point_one_way(file):
    if file.name == "__init__.py" and len(file.parts) == 3:
        return
    check(file, 1, MAY_IMPORT)
    for folder, may_import in (("quantization", QUANTIZATION), ("firmware", FIRMWARE)):
        if file.parts[1] == folder:
            check(file, 2, may_import)


def test_no_two_modules_import_each_other():
    """Not even for types, and not even inside functions."""
    above: dict[Path, set[Path]] = {file: imports(file) for file in FILES}
    while above:
        free = {file for file, needed in above.items() if not needed & set(above)}
        assert free, f"imported in a circle: {sorted(map(str, above))}"
        above = {file: needed for file, needed in above.items() if file not in free}


def test_a_folder_can_be_taken_in_at_a_glance():
    folders = {file.parent for file in FILES} - {STAGES_FOLDER}
    for folder in folders:
        files = [file for file in FILES if file.parent == folder and file.name != "__init__.py"]
        assert len(files) <= MOST_FILES, folder


def test_no_test_imports_from_another():
    """What several tests need lies in a module of its own, so each file of tests stands alone."""
    tests = {path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    for test in tests:
        others = direct_imports(test) & tests - {test}
        assert not others, f"{test} imports {sorted(map(str, others))}"


def test_tests_mirror_the_pipeline():
    """A test of a folder lies in the folder of the same name; `stages` has those of the scripts."""
    apart = {Path("tests"), Path("tests/stages"), Path("tests/benchmarks")}
    folders = {file.parent for file in FILES}
    for test in (ROOT / "tests").rglob("test_*.py"):
        folder = test.parent.relative_to(ROOT)
        assert folder in apart or Path("pipeline", *folder.parts[1:]) in folders, test
