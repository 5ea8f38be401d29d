"""``python -m pipeline.repository``: check the folder and the data file before DVC starts."""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.base.errors import run_stage
from pipeline.params import load_params
from pipeline.repository.check import check_repository


def main() -> None:
    """Check the working directory; notes go to stderr."""
    for note in check_repository(Path(), Path(load_params().data.file)):
        print(f"note: {note}", file=sys.stderr)


if __name__ == "__main__":
    run_stage(main)
