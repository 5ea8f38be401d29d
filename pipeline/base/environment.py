"""What reaches a stage, its workers and its tools of the user's environment.

`settle` runs once, when `pipeline.base` is first imported, so before any library that reads a
variable or a configuration file. Workers of a search inherit what it leaves. Tools get a list of
their own, `tool_environment`. The table in docs/README.md says the same in words.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, MutableMapping

# Nothing a stage does goes through a proxy: a search talks to its own processes only.
_PROXIES = tuple(f"{scheme}_proxy" for scheme in ("all", "grpc", "http", "https", "no", "no_grpc"))
# They switch other code or other arithmetic on, in TensorFlow, Keras, hls4ml and da4ml.
_CHANGE_RESULTS = ("tf_", "tf2_", "keras_", "hls4ml_", "da_hard_dc", "mplbackend", "matplotlibrc")
# Of these only what TensorFlow says and how it takes memory of a GPU is the user's.
_KEPT = ("tf_cpp_", "tf_force_gpu_allow_growth", "tf_gpu_allocator")
# XLA hands matrix products to a pool of threads, which for a batch of 64 windows costs more than
# the product itself: an epoch took half as long again. Of the user's flags only those stay that
# cannot change a result; a value that is no flag would name a file of any flags.
_XLA_POOL = "--xla_cpu_multi_thread_eigen"
_XLA_HARMLESS = (
    _XLA_POOL, "--xla_dump_", "--xla_gpu_cuda_data_dir", "--xla_force_host_platform_device",
)  # fmt: skip
# Python's own. They have done their work on this process; a child would be of another kind.
_PYTHON = ("PYTHONOPTIMIZE", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONHASHSEED")

# All that the open tools need. A list of what to remove would never be complete: make reads every
# variable as its own (MAKEFLAGS of a `make -j` above, CXX, OPT_FAST), the compiler a dozen more.
_TOOL = {
    "PATH", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX",
    "GHDL_PREFIX", "XDG_CACHE_HOME", "YOWASP_CACHE_DIR",
}  # fmt: skip
# A vendor's tool needs what its own set-up script has set, so here only what misleads is removed.
_MISLEADS = (
    "MAKE", "MFLAGS", "GNUMAKEFLAGS", "PYTHON", "CXX", "CC", "CPP", "CFLAGS", "LDFLAGS",
    "VERILATOR_", "LANG", "LC_",
)  # fmt: skip
_FIXED = {"LC_ALL": "C.UTF-8", "TMPDIR": "."}


def settle(environ: MutableMapping[str, str]) -> None:
    """Remove what could change a result or lead a stage astray; set what must be fixed.

    Parameters
    ----------
    environ
        Changed in place.
    """
    for name in list(environ):
        lower = name.lower()
        changes = lower.startswith(_CHANGE_RESULTS) and not lower.startswith(_KEPT)
        if changes or lower in _PROXIES or name in _PYTHON:
            del environ[name]
    # Keras reads keras.json in this folder (floatx, epsilon), and writes one where there is none:
    # no file can be in a device.
    environ["KERAS_HOME"] = os.devnull
    # Below level 3 TensorFlow prints harmless internal messages of its graph optimiser and XLA on
    # every start; real errors reach Python as exceptions.
    environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    flags = [f for f in environ.get("XLA_FLAGS", "").split() if f.startswith(_XLA_HARMLESS)]
    if not any(flag.startswith(_XLA_POOL) for flag in flags):
        flags.append(f"{_XLA_POOL}=false")
    environ["XLA_FLAGS"] = " ".join(flags)


def tool_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return all variables of an open tool: a few of this process, and `extra`.

    Messages are English, numbers have a point, and temporary files lie in the directory where
    the tool runs: the user's may have a name that make or a script cannot take.
    """
    kept = {name: value for name, value in os.environ.items() if name in _TOOL}
    return kept | _FIXED | dict(extra or {})


def vendor_environment() -> dict[str, str]:
    """Return all variables of a vendor's tool: those of this process less what misleads it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_MISLEADS)}
    return kept | {"LC_ALL": "C.UTF-8"}


def settle_process() -> None:
    """Settle this process; PYTHONWARNINGS=error would stop a library that only warns.

    Raises
    ------
    SystemExit
        If Python leaves out asserts, which libraries check their input with, or docstrings,
        which some read.
    """
    if sys.flags.optimize:
        raise SystemExit("error: PYTHONOPTIMIZE, python -O: libraries need what it leaves out")
    filtered = "PYTHONWARNINGS" in os.environ
    settle(os.environ)
    if filtered:
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
