"""Where an unfinished search keeps its trials, and when they may be used again.

The state lives outside DVC's outputs, which DVC deletes before a stage runs.
Its directory is named after everything that a trial depends on, so trials of
other data, other float weights or other settings are never reused.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.params.network import EnergyParams, SearchParams

STATE_ROOT = Path(".search")
_BLOCK_BYTES = 1 << 20
_CODE = Path(__file__).parents[1]
_PACKAGES = ("tensorflow-cpu", "keras", "keras-tuner", "qkeras", "numpy")


def state_directory(inputs: Sequence[Path], settings: Mapping[str, Any]) -> Path:
    """Return the state directory of a search.

    Parameters
    ----------
    inputs
        Files that trials depend on; their content is hashed, and with it this
        package's code and the versions of what it trains with.
    settings
        Parameters that trials depend on, as JSON values.
    """
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    digest = hashlib.sha256(json.dumps([settings, versions], sort_keys=True).encode())
    for path in (*inputs, *sorted(_CODE.rglob("*.py"))):
        with path.open("rb") as handle:
            while block := handle.read(_BLOCK_BYTES):
                digest.update(block)
    return STATE_ROOT / digest.hexdigest()[:16]


def open_state(
    inputs: Sequence[Path], search: SearchParams, energy: EnergyParams, network: Sequence[Any]
) -> Path:
    """Return the state directory of a search, sound or empty.

    Parameters
    ----------
    inputs
        Files that trials depend on.
    search, energy
        Their sections; how many workers there are and which reference points are
        trained afterwards changes no trial.
    network
        What else describes the float network.
    """
    settings = {
        "search": search.model_dump(exclude={"workers", "worker_timeout_s", "uniform_bits"}),
        "energy": energy.model_dump(),
        "network": list(network),
    }
    state = state_directory(inputs, settings)
    if "KERASTUNER_ORACLE_IP" not in os.environ:  # with workers beside it, only look
        set_aside_if_broken(state)
    return state


def set_aside_if_broken(directory: Path) -> None:
    """Rename a state that cannot be read, with a warning on stderr; nothing is deleted."""
    for file in sorted(directory.rglob("*.json")):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            number = sum(1 for _ in directory.parent.glob(f"{directory.name}.broken*"))
            target = directory.with_name(f"{directory.name}.broken{number}")
            directory.rename(target)
            print(
                f"warning: {file}: not readable; the search starts anew and its old state "
                f"is kept in {target}",
                file=sys.stderr,
            )
            return


def discard(directory: Path) -> None:
    """Delete the state of a finished search: its result is ``models/search.json``."""
    shutil.rmtree(directory, ignore_errors=True)
