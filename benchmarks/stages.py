"""Stages run in a directory of their own, with parameters of their own, on the data of this one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from benchmarks.compare import ROOT

INPUTS = ("data/prepared.h5", "models/float.weights.h5")


@contextmanager
def workplace(params: Mapping[str, Any]) -> Iterator[Path]:
    """Make a temporary directory with `params` as its ``params.yaml`` and what `train` left."""
    with tempfile.TemporaryDirectory(prefix="stages-") as temporary:
        work = Path(temporary)
        for name in INPUTS:
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).symlink_to((ROOT / name).resolve())
        (work / "params.yaml").write_text(yaml.safe_dump(dict(params)), encoding="utf-8")
        yield work


def run_stage(stage: str, work: Path) -> float:
    """Run a stage of this checkout in `work`; return its seconds.

    Raises
    ------
    CalledProcessError
        If it fails; its message is on stderr.
    """
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", f"pipeline.{stage}"],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start
