from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.sample import Sample, assemble
from pipeline.params import load_params
from pipeline.params.evaluation import EvaluateParams
from pipeline.samples.prepared import Split


@pytest.fixture
def params() -> EvaluateParams:
    return load_params().evaluate


@pytest.fixture
def split() -> Split:
    rng = np.random.default_rng(5)
    n = 3000
    hit = np.where(rng.random(n) < 0.1, rng.uniform(0, 5, n), 0).astype(np.float32)
    dig = (hit + rng.normal(0, 0.05, n)).astype(np.float32)
    ofmax = np.where(dig > 0.1, dig, 0).astype(np.float32)
    return Split("test", dig, hit, ofmax, hit, window_length=5, target_lag=3, et_scale_gev=16.0)


@pytest.fixture
def sample(split: Split, params: EvaluateParams) -> Sample:
    rng = np.random.default_rng(6)
    target = split.hit_et_gev[2 : 2 + split.n_windows] / 16
    noise = rng.normal(0, 0.003, target.size)
    networks = {
        "float": np.maximum(target + noise, 0).astype(np.float32),
        "quantized": np.maximum(np.round((target + noise) * 1024) / 1024, 0).astype(np.float32),
    }
    return assemble(split, networks | {"firmware": networks["quantized"]}, params)
