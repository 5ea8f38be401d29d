"""A working directory for the tests of stages: parameters, prepared data and a network.

Everything is written into the current directory, which a test first changes to its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.artifacts.search import SEARCH
from pipeline.base.architecture import Architecture, network_shapes
from pipeline.base.arrays import F32
from pipeline.base.files import write_json
from pipeline.base.schema import write
from pipeline.base.weights import FLOAT_WEIGHTS, save_weights
from pipeline.integers.network import IntegerNetwork
from pipeline.quantization.finetuning.trials import SEARCH_WEIGHTS
from pipeline.samples.prepared import PREPARED, SPLITS, Prepared, Split
from tests.imports import ROOT
from tests.quantization.quantizer_sets import quantizer_set, random_weights
from tests.quantization.searched import search_content, trial_row
from tests.samples.files import write_prepared

PARAMS = ROOT / "params.yaml"
INTEGER_NETWORK = Path("models/integer.json")
ET_SCALE_GEV = 16.0


def set_params(**sections: dict[str, Any]) -> None:
    """Change keys of sections of ``params.yaml``, which is the shipped one at first."""
    path = Path("params.yaml")
    params = yaml.safe_load((path if path.exists() else PARAMS).read_text(encoding="utf-8"))
    for name, changes in sections.items():
        params[name] |= changes
    path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def make_split(
    name: str,
    samples: F32,
    truth: F32 | None = None,
    window_length: int = 3,
    target_lag: int | None = None,
) -> Split:
    """Make a split of samples and true E_T in GeV; without truth no energy was deposited.

    The target lies at the first sample of a window unless `target_lag` says where.
    """
    truth = np.zeros_like(samples) if truth is None else truth
    lag = window_length if target_lag is None else target_lag
    return Split(name, samples, truth, truth, truth, window_length, lag, ET_SCALE_GEV)


def noise(n_bc: int, spread_gev: float = 8.0) -> F32:
    """Samples that reach all of the input's range, the same for the same length."""
    return np.random.default_rng(n_bc).normal(0, spread_gev, n_bc).astype(np.float32)


def noise_splits(sizes: Iterable[int], window_length: int) -> list[Split]:
    """Make train, validation and test of noise; `sizes` in BCs."""
    return [
        make_split(name, noise(size), window_length=window_length)
        for name, size in zip(SPLITS, sizes, strict=True)
    ]


def pulse_splits() -> list[Split]:
    """Make train, validation and test of deposits with a pulse of three samples."""
    splits = []
    for name, n_bc in zip(SPLITS, (1503, 503, 703), strict=True):
        rng = np.random.default_rng(n_bc)
        hit = np.where(rng.random(n_bc) < 0.1, rng.uniform(0, 5, n_bc), 0).astype(np.float32)
        samples = np.convolve(hit, [1.0, 0.6, 0.2])[:n_bc].astype(np.float32)
        splits.append(make_split(name, samples, hit, target_lag=1))
    return splits


def make_workplace(
    splits: Sequence[Split], network: IntegerNetwork | None = None, **sections: dict[str, Any]
) -> None:
    """Write parameters with changed sections, prepared data and, if there is one, a network."""
    set_params(**sections)
    write_prepared(PREPARED, Prepared(*splits))
    if network is not None:
        write(INTEGER_NETWORK, network)


def make_trained_cell(cell: str = "SimpleRNN", workers: int = 1, **search: Any) -> None:
    """Write what the stages ``search`` and ``finetune`` read: a float network of two units.

    A search of two trials of one epoch; `search` changes its parameters.
    """
    small = {"mode": "random", "max_trials": 2, "epochs": 1, "batch_size": 64}
    uniform_bits = [8] if cell == "SimpleRNN" else []
    make_workplace(
        pulse_splits(),
        train={"cell": cell, "units": 2},
        search=small | {"uniform_bits": uniform_bits, "tune_filters": "none"} | search,
        processes={"workers": workers},
        finetune={"epochs": 2, "batch_size": 64},
    )
    weights = random_weights(Architecture(cell, 2, 3).weight_shapes)
    if cell == "SimpleRNN":
        weights |= _alive(weights, 2)
    save_weights(FLOAT_WEIGHTS, weights)


def write_choice(cell: str = "SimpleRNN", units: int = 2, **changed: str) -> dict[str, str]:
    """Write a search of one trial, which starts from weights like those of the float network.

    `changed` are quantizers by tensor. Return all quantizers by tensor.
    """
    texts = {t: q.text for t, q in quantizer_set("auto_po2", cell).items()} | changed
    write_json(SEARCH, search_content([trial_row("0", quantizers=texts, units=units)]))
    weights = random_weights(network_shapes(cell, units))
    weights |= _alive(weights, units)
    if cell != "SimpleRNN":  # forgets soon; the candidate is the sample less what was before
        candidate = slice(2 * units, 3 * units)
        weights["rnn/kernel"][:] = weights["rnn/recurrent_kernel"][:] = 0
        weights["rnn/kernel"][:, candidate] = 1
        weights["rnn/recurrent_kernel"][:, candidate] = -0.9 * np.eye(units)
        gates = [0.9, -0.9, 0, 0.9] if cell == "LSTM" else [-0.9, 0, 0]
        weights["rnn/bias"][:] = np.repeat(gates, units)
        weights["dense/kernel"][:] = (1.8 if cell == "LSTM" else 1.1) / units
    save_weights(SEARCH_WEIGHTS, {f"0/{name}": w for name, w in weights.items()})
    return texts


def _alive(weights: dict[str, F32], units: int) -> dict[str, F32]:
    """Weights of a network that is alive from the start: three quarters of the last sample."""
    values = {
        "rnn/kernel": 0.75,
        "rnn/recurrent_kernel": -0.1,
        "rnn/bias": 0.0,
        "dense/kernel": 1 / units,
        "dense/bias": 0.0,
    }
    return {name: np.full_like(weights[name], value) for name, value in values.items()}


def contents(
    folder: Path, skip: tuple[str, ...] = (str(PREPARED), "params.yaml")
) -> dict[str, bytes]:
    """Return the bytes of every file in a folder by its path, without those to `skip`."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and str(path.relative_to(folder)) not in skip
    }


def nothing_written(outputs: Iterable[str | Path]) -> bool:
    """Say whether none of these is there, nor a half-written file of any name."""
    return not list(Path().rglob("*.tmp*")) and not any(Path(path).exists() for path in outputs)
