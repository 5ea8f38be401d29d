"""Parameters of small simulated cells."""

from typing import Any

import numpy as np

from pipeline.detector.generator import generate
from pipeline.detector.sequences.sequence_file import Sequences
from pipeline.params import load_params
from pipeline.params.detector import SimulateParams
from tests.imports import ROOT

PARAMS_FILE = ROOT / "params.yaml"


def simulate_params(**changes: Any) -> SimulateParams:
    """Take the repository's cell; ``noise={"rms_mev": 0.0}`` changes one value."""
    tree = load_params(PARAMS_FILE).simulate.model_dump()
    for section, value in changes.items():
        if isinstance(value, dict):
            tree[section].update(value)
        else:
            tree[section] = value
    return SimulateParams.model_validate(tree)


def sequence(params: SimulateParams) -> Sequences:
    """Generate in one piece."""
    return Sequences(*(np.concatenate(parts) for parts in zip(*generate(params), strict=True)))


def made_up(n_bc: int, seed: int = 0) -> Sequences:
    """Numbers without physics."""
    values = np.random.default_rng(seed).uniform(0, 5, (4, n_bc)).astype(np.float32)
    return Sequences(*values)
