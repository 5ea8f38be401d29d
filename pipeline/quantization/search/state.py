"""Where an unfinished search keeps its trials, and when they may be used again.

The state lives outside DVC's outputs, which DVC deletes before a stage runs.
Its directory is named after everything that a trial depends on, so trials of
other data, other float weights or other settings are never reused.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py

from pipeline.artifacts.search import Trial
from pipeline.base.architecture import Architecture
from pipeline.base.errors import say
from pipeline.base.files import ArtifactError, read_json, write_text
from pipeline.base.schema import parse
from pipeline.base.weights import load_weights, open_hdf5
from pipeline.params.energy import EnergyParams
from pipeline.params.network import SearchParams
from pipeline.quantization.search.cluster import is_worker

STATE_ROOT = Path(".search")
_FINISHED = "finished.txt"
_KEPT = 4  # finished searches: some hundred kilobytes each
_BLOCK_BYTES = 1 << 20
_PIPELINE = Path(__file__).parents[2]
# The code that a trial depends on. Parameters are not here: it is their values that matter.
CODE = (
    "artifacts/search.py",
    "base",
    "samples",
    "networks",
    "quantizers",
    "quantization/energy",
    "quantization/training",
    "quantization/search",
)
_SUFFIXES = (".py", ".cpp")
_PACKAGES = ("keras", "keras-tuner", "numpy", "qkeras", "scipy")
# What keras-tuner cannot do without in its files.
_KEYS = {"oracle.json": "start_order", "trial.json": "status"}


def state_directory(inputs: Sequence[Path], settings: Mapping[str, Any]) -> Path:
    """Return the state directory of a search.

    Parameters
    ----------
    inputs
        Files that trials depend on; their content is hashed, and with it the code that
        trains and prices trials and the versions of what it does so with.
    settings
        Parameters that trials depend on, as JSON values. Their order counts: oracles
        draw a quantizer by its place in the list, and of several limits the first holds.
    """
    # TensorFlow's distribution has another name where there are GPUs.
    packages = [*_PACKAGES, *sorted(importlib.metadata.packages_distributions()["tensorflow"])]
    versions = {name: importlib.metadata.version(name) for name in packages}
    digest = hashlib.sha256(json.dumps([settings, versions]).encode())
    for path in (*inputs, *code_files()):
        digest.update(f"{path.name} {path.stat().st_size} ".encode())
        with path.open("rb") as handle:
            while block := handle.read(_BLOCK_BYTES):
                digest.update(block)
    return STATE_ROOT / digest.hexdigest()[:16]


def code_files() -> list[Path]:
    """Return the modules that a trial depends on, in Python and in C++."""
    paths = [_PIPELINE / name for name in CODE]
    return [
        file
        for path in paths
        for file in ([path] if path.is_file() else sorted(path.rglob("*")))
        if file.suffix in _SUFFIXES
    ]


def open_state(
    inputs: Sequence[Path],
    search: SearchParams,
    energy: EnergyParams,
    architecture: Architecture,
    strategy: str,
) -> Path:
    """Return the state directory of a search, sound or empty.

    Parameters
    ----------
    inputs
        Files that trials depend on.
    search, energy
        Their sections; which uniform networks are trained afterwards changes no trial, nor
        does how many there are in all where `extends`.
    architecture
        Of the float network.
    strategy
        ``train.strategy``: the devices on which trials are trained.
    """
    settings = {
        "search": search.model_dump(
            exclude={"uniform_bits", "max_trials"} if extends(search) else {"uniform_bits"}
        ),
        "energy": energy.model_dump(),
        "network": asdict(architecture),
        "strategy": strategy,
    }
    state = state_directory(inputs, settings)
    if not is_worker():
        set_aside_if_broken(state)  # which a worker leaves to its chief
        (state / _FINISHED).unlink(missing_ok=True)  # until it is again
    return state


def set_aside_if_broken(directory: Path) -> None:
    """Rename a state that cannot be read, with a warning on stderr; nothing is deleted."""
    try:
        for file in sorted(directory.rglob("*")):
            _check(file)
    except ArtifactError as error:
        number = sum(1 for _ in directory.parent.glob(f"{directory.name}.broken*"))
        target = directory.with_name(f"{directory.name}.broken{number}")
        directory.rename(target)
        say(
            f"warning: {error}; the search starts anew and its old state is kept in {target}",
        )


def _check(file: Path) -> None:
    """Check one file of a state: oracle, trials, records, weights and standing trainings.

    Raises
    ------
    ArtifactError
        Naming the file, if it cannot be read or is not what its name says.
    """
    if file.suffix == ".json":
        content = read_json(file)
        if _KEYS.get(file.name) not in {None, *content}:
            raise ArtifactError(f"{file}: expected {_KEYS[file.name]!r}, found {sorted(content)}")
        if file.name.startswith("record_"):
            _check_record(file, content)
    elif file.suffix == ".h5":
        with open_hdf5(file) as opened:
            shapes: dict[str, tuple[int, ...]] = {}
            opened.visititems(
                lambda name, item: (
                    shapes.update({name: item.shape}) if isinstance(item, h5py.Dataset) else None
                )
            )
        if not shapes:
            raise ArtifactError(f"{file}: expected weights, found none")
        try:
            load_weights(file, shapes)  # reads every value
        except OSError as error:
            raise ArtifactError(f"{file}: cannot be read: {error}") from None


def _check_record(file: Path, content: Mapping[str, Any]) -> None:
    parse(Trial, content, file)
    weights = file.with_name(f"weights_{file.stem.removeprefix('record_')}.h5")
    if not weights.exists():  # they were written first
        raise ArtifactError(f"{weights}: missing, but {file.name} is there")


def extends(search: SearchParams) -> bool:
    """Whether a search begins with the very trials of the same search with fewer of them.

    Later blocks start from the best trial of those before, and the survivors of `halving`
    depend on all first trials, so neither does; nor does `hyperband`.
    """
    return search.mode in ("random", "bayesian") and search.blocks is None


def finish(directory: Path, search: SearchParams) -> None:
    """Delete the state of a finished search, or keep it for one with more trials.

    The result is ``models/search.json`` either way. Of those kept only the newest few stay.
    """
    if not extends(search):
        discard(directory)
        return
    mark = directory / _FINISHED
    write_text(mark, "The same search with more trials goes on from here.\n")
    marks = [file for file in STATE_ROOT.glob(f"*/{_FINISHED}") if file != mark]
    marks.sort(key=lambda file: file.stat().st_mtime, reverse=True)
    for old in marks[_KEPT - 1 :]:
        discard(old.parent)


def discard(directory: Path) -> None:
    """Delete a state, if it is there."""
    shutil.rmtree(directory, ignore_errors=True)
