"""Stage ``check``: refuse parameters that a later stage would refuse, before any stage runs.

Reads params.yaml and nothing else; writes data/checked.txt, whose content never changes, so that
a change of a parameter reruns this stage and those that use the parameter. The same as
``python -m pipeline.params``. DVC deletes the outputs of a stage before it runs: a value that is
refused here costs none.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_text
from pipeline.params import PARAMS_FILE, Params
from pipeline.quantization.search.plan.parameters import check_parameters, notes

CHECKED = Path("data/checked.txt")


def check() -> Params:
    """Check the whole of ``params.yaml``; what it has that has no effect is said on stderr."""
    params = check_parameters(PARAMS_FILE)
    for note in notes(params.search, params.train.cell):
        say(f"{PARAMS_FILE}: {note}")
    say(f"{PARAMS_FILE}: valid")
    return params


def main() -> None:
    """Run the stage in the working directory."""
    check()
    write_text(CHECKED, f"{PARAMS_FILE} was valid when this was written\n")


if __name__ == "__main__":
    run_stage(main)
