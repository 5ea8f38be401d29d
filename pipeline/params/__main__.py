"""``python -m pipeline.params``: check the whole of ``params.yaml`` before any stage runs."""

from __future__ import annotations

import sys

from pipeline.base.errors import run_stage
from pipeline.params import PARAMS_FILE, load_params

run_stage(lambda: print(f"{PARAMS_FILE}: valid", file=sys.stderr) if load_params() else None)
