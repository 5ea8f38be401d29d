"""Verilator's compilations, which take most of the time of a test, once for several tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path

import pytest

from pipeline.firmware.rtl import simulation as rtl_simulation
from pipeline.firmware.rtl.verilator import Harness, Simulation, compiled


@contextmanager
def compiling_once() -> Iterator[None]:
    """Let simulations of the same Verilog, driven in the same way, share one program."""
    kept: dict[object, Simulation] = {}

    def once(
        files: Sequence[Path], harness: Harness, optimise: bool = True
    ) -> AbstractContextManager[Simulation]:
        key = (*((path.name, path.read_bytes()) for path in files), harness, optimise)
        if key not in kept:
            kept[key] = stack.enter_context(compiled(files, harness, optimise))
        return nullcontext(kept[key])

    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rtl_simulation, "compiled", once)
        yield
