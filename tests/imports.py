"""Which local modules a module imports, wherever in it the import stands."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def local_imports(module: Path) -> set[Path]:
    """Return all files of this project that a file needs, itself included.

    Not what `pipeline.params` checks values with: of parameters only the values count.
    """
    found: set[Path] = set()
    todo = [module]
    while todo:
        file = todo.pop()
        if file in found:
            continue
        found.add(file)
        if file.parts[:2] != ("pipeline", "params"):
            todo.extend(direct_imports(file))
    return found


@cache
def direct_imports(file: Path) -> set[Path]:
    """Return the files that a module imports itself, and the packages that it lies in."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            found |= _files_of(name)
    return found | _packages_of(file)


@cache
def _files_of(name: str) -> set[Path]:
    path = Path(*name.split("."))
    candidates = {path.with_suffix(".py"), path / "__init__.py"}
    return {candidate for candidate in candidates if (ROOT / candidate).is_file()}


def _packages_of(file: Path) -> set[Path]:
    inits = (parent / "__init__.py" for parent in file.parents)
    return {init for init in inits if (ROOT / init).is_file()}
