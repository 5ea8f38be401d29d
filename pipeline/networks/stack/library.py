"""The compiled core: built from ``core.cpp`` with g++ once a machine, and called by ctypes.

``core.cpp`` includes ``learned.hpp``. g++ is what the firmware stages need, too. The file is named
after a hash of the sources, the flags and what the compiler takes the processor for, so no
other build is ever loaded.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from pipeline.base.errors import PipelineError

COMPILER = "g++"
# Without contraction a product and a sum are two roundings on every machine.
FLAGS = (
    "-std=c++17", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno",
    "-Wno-psabi", "-shared", "-fPIC",
)  # fmt: skip
# Beside the code, not in the working directory: one build serves every run and every test.
BUILDS = Path(__file__).resolve().parents[3] / ".stack"
_SOURCE = Path(__file__).with_name("core.cpp")
_INCLUDED = Path(__file__).with_name("learned.hpp")
_TIMEOUT_S = 300


class StackError(PipelineError):
    """The core cannot be built or does not fit its caller."""


class Data(ctypes.Structure):
    """``struct Data`` of the core; the arrays must outlive it."""

    _fields_ = (
        ("samples", ctypes.c_void_p),
        ("truth", ctypes.c_void_p),
        ("windows", ctypes.c_int64),
        ("length", ctypes.c_int32),
        ("target", ctypes.c_int32),
    )


@cache
def load() -> ctypes.CDLL:
    """Return the core, built now if this machine has none of this source.

    Raises
    ------
    StackError
        If there is no g++, or it fails.
    """
    target = BUILDS / f"core-{_identity()}.so"
    if not target.exists():
        _build(target)
    library = ctypes.CDLL(str(target))
    pointer, number, long = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
    for name, arguments in {
        "lanes": [],
        "most_units": [],
        "quantize_all": [pointer, number, pointer, pointer, pointer],
        "shuffle_all": [long, pointer, pointer],
        "train_all": [pointer, pointer, number, number, long, *[pointer] * 8],
        "evaluate_all": [pointer, pointer, number, *[pointer] * 3],
        "gradients_all": [pointer, pointer, number, pointer, pointer, number, pointer, pointer],
        "train_learned_all": [pointer, pointer, number, number, long, *[pointer] * 6],
        "learned_gradients_all": [*[pointer] * 2, number, *[pointer] * 2, number, *[pointer] * 2],
        "round_learned_all": [pointer, number, number, *[pointer] * 3],
        "evaluate_learned_all": [pointer, pointer, number, *[pointer] * 3],
    }.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = number if not arguments else None
    return library


def _build(target: Path) -> None:
    """Compile into a file of its own, then rename: workers may do so at the same time."""
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / target.name
        _compiler(*FLAGS, str(_SOURCE), "-o", str(built))
        built.replace(target)


def _identity() -> str:
    """Return a name for source, flags and the processor that the compiler sees."""
    resolved = _compiler("-###", "-S", *FLAGS, "-o", os.devnull, "-x", "c++", os.devnull)
    sources = _SOURCE.read_bytes(), _INCLUDED.read_bytes()
    parts = [*sources, " ".join(FLAGS).encode(), resolved.encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _compiler(*arguments: str) -> str:
    try:
        done = subprocess.run(
            [COMPILER, *arguments], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        raise StackError(f"{COMPILER}: not found on PATH; networks are trained by it") from None
    except subprocess.TimeoutExpired:
        raise StackError(f"{COMPILER}: no result after {_TIMEOUT_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StackError(f"{COMPILER}: cannot build {_SOURCE.name}: {lines[0]}")
    return done.stderr
