"""C++ simulation of an HLS project: hls4ml's generated code compiled with g++.

The arithmetic is that of ap_fixed (AMD) or ac_fixed (Intel), from the open-source headers in
the project,
driven by a loop in C++: one call evaluates a whole block of windows. Everything is compiled
in a temporary copy, the project itself stays as it is.
"""

from __future__ import annotations

import ctypes
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipeline.base.arrays import F64, Real
from pipeline.base.errors import PipelineError
from pipeline.firmware.hls.graph import INPUT
from pipeline.firmware.hls.project import Target
from pipeline.firmware.processes import run_tool
from pipeline.integers.network import IntegerNetwork

COMPILER = "g++"
FLAGS = ("-std=c++14", "-O1", "-fPIC", "-shared", "-fno-gnu-unique")
_HEADERS = ("-Ifirmware/ap_types", "-Ifirmware/ac_types")
CHUNK_WINDOWS = 20_000

# Called with the number of windows done since the last call.
WindowsDone = Callable[[int], object]

# AMD's top function takes two arrays. Intel's takes and returns a structure that holds
# nothing but the array.
_CALLS = {
    "amd": "{project}(window, output);",
    "intel": (
        "input_data in; std::copy(window, window + {length}, in.window);\n"
        "        output_data out = {project}(in);\n"
        "        output[0] = *reinterpret_cast<const result_t *>(&out);"
    ),
}

# One translation unit, so that the headers are parsed once. The trace variables are
# declared by hls4ml's helpers and defined by its own bridge, which is not compiled here.
_LOOP = """\
#include "firmware/{project}.cpp"
#include <algorithm>
#include <map>
#include <string>

namespace nnet {{
bool trace_enabled = false;
std::map<std::string, void *> *trace_outputs = new std::map<std::string, void *>;
size_t trace_type_size = sizeof(double);
}}

extern "C" void save_layer(const char *name, double *values) {{
    nnet::trace_enabled = true;
    (*nnet::trace_outputs)[name] = values;
}}

extern "C" void evaluate_windows(const double *windows, double *outputs, long n) {{
    for (long i = 0; i < n; i++) {{
        input_t window[{length}];
        result_t output[1];
        for (int j = 0; j < {length}; j++)
            window[j] = input_t(windows[i * {length} + j]);
        nnet::save_layer_output(window, "{window}", {length});
        {call}
        outputs[i] = output[0].to_double();
    }}
}}
"""


class CppSimulationError(PipelineError):
    """No compiler, code that does not compile, or windows that do not fit."""


class CppSimulation:
    """A compiled network; made by `simulation`.

    Parameters
    ----------
    library
        Shared library that exports ``evaluate_windows``.
    length
        Samples in a window.
    """

    def __init__(self, library: Path, length: int) -> None:
        self._length = length
        array = np.ctypeslib.ndpointer(np.float64, flags="C_CONTIGUOUS")
        loaded = ctypes.CDLL(str(library))
        self._evaluate = loaded.evaluate_windows
        self._evaluate.argtypes = [array, array, ctypes.c_long]
        self._evaluate.restype = None
        self._save_layer = loaded.save_layer
        self._save_layer.argtypes = [ctypes.c_char_p, array]
        self._save_layer.restype = None

    def evaluate(self, windows_et_scaled: Real, windows_done: WindowsDone | None = None) -> F64:
        """Evaluate float windows (n, length) to float64 (n,), both E_T / ``et_scale_gev``.

        The samples enter as they are: the simulated firmware rounds them into
        its input type. `windows_done` is called with the number of windows done
        since its last call.

        Raises
        ------
        CppSimulationError
            For windows of another length, or samples that are not finite.
        """
        shape = windows_et_scaled.shape
        if len(shape) != 2 or shape[1] != self._length:
            raise CppSimulationError(
                f"expected windows of shape (n, {self._length}), found {shape}"
            )
        result = np.empty(shape[0], dtype=np.float64)
        for start in range(0, shape[0], CHUNK_WINDOWS):
            part = result[start : start + CHUNK_WINDOWS]
            block = np.ascontiguousarray(
                windows_et_scaled[start : start + CHUNK_WINDOWS], dtype=np.float64
            )
            if not np.isfinite(block).all():
                raise CppSimulationError("cannot simulate samples that are not finite")
            self._evaluate(block, part, len(part))
            if windows_done is not None:
                windows_done(len(part))
        return result

    def layer_outputs(self, window: Real, sizes: Mapping[str, int]) -> dict[str, F64]:
        """Evaluate one window (1, length); return the layers' outputs, float64 (1, size).

        `sizes` gives the number of outputs of each layer that the project saves, and of
        the input, which always is; see `pipeline.firmware.hls.layer_outputs`.
        """
        buffers = {name: np.empty(size) for name, size in sizes.items()}
        for name, values in buffers.items():
            self._save_layer(name.encode(), values)
        self.evaluate(window)
        return {name: values.copy()[None, :] for name, values in buffers.items()}


def require_compiler() -> str:
    """Path of g++.

    Raises
    ------
    CppSimulationError
        If there is none on ``PATH``.
    """
    found = shutil.which(COMPILER)
    if found is None:
        raise CppSimulationError(
            f"{COMPILER}: not found on PATH; the C++ simulation of the firmware needs it"
        )
    return found


@contextmanager
def simulation(project: Path, network: IntegerNetwork, target: Target) -> Iterator[CppSimulation]:
    """Compile a project written by `write_project` in a temporary copy of it.

    Raises
    ------
    CppSimulationError
        If g++ is missing or refuses the code; its first error line is quoted.
    """
    require_compiler()
    with tempfile.TemporaryDirectory(prefix="cpp-simulation-") as temporary:
        copy = Path(temporary) / "project"
        shutil.copytree(project, copy)
        library = compile_project(copy, network.window_length, target)
        yield CppSimulation(library, network.window_length)


def compile_project(directory: Path, length: int, target: Target) -> Path:
    """Compile the project in `directory` (which gets more files); return the library."""
    loop = directory / "loop.cpp"
    project_name = target.params.project_name
    if target.backend == "oneAPI":
        raise CppSimulationError("a oneAPI project needs icpx: it is written, not simulated")
    call = _CALLS["intel" if target.intel else "amd"]
    names = {"project": project_name, "length": length, "window": INPUT}
    loop.write_text(_LOOP.format(call=call.format(**names), **names))
    library = directory / f"{project_name}.so"
    # A string of C++: the temporary directory may have any name.
    weights = f"-DWEIGHTS_DIR={json.dumps(f'{directory}/firmware/weights', ensure_ascii=False)}"
    run_tool(
        f"{COMPILER} on the project",
        [require_compiler(), *FLAGS, *_HEADERS, weights, loop.name, "-o", library.name],
        directory,
        None,
        CppSimulationError,
    )
    return library
