"""``python -m pipeline.repository``: check the folder and the data file before DVC starts."""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import run_stage, say
from pipeline.params import load_params
from pipeline.repository.check import check_repository


def main() -> None:
    """Check the working directory; notes go to stderr."""
    for note in check_repository(Path(), Path(load_params().data.file)):
        say(f"note: {note}")


if __name__ == "__main__":
    run_stage(main)
