"""``python -m pipeline.params``: check the whole of ``params.yaml`` before any stage runs.

With ``--document`` it prints docs/parameters.md instead.
"""

from __future__ import annotations

import argparse
import sys

from pipeline.base.errors import run_stage
from pipeline.check import check
from pipeline.params import load_params
from pipeline.params.document import document


def main() -> None:
    """Check ``params.yaml``; a `ParamsError` says all that is wrong with it."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.params", description=__doc__)
    parser.add_argument("--document", action="store_true", help="print docs/parameters.md")
    arguments = parser.parse_args()
    if arguments.document:
        sys.stdout.write(document(load_params()))
    else:
        check()


if __name__ == "__main__":
    run_stage(main)
