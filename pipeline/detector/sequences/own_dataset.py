"""Datasets whose data lie in the HDF5 file itself, found by keys that may be links inside it.

Files from elsewhere are untrusted: external links, external storage and virtual datasets could
make the reader open any other file of the user.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from pipeline.base.files import ArtifactError
from pipeline.base.weights import refuse_data_elsewhere

_MOST_LINKS = 16


def own_dataset(path: Path, file: h5py.File, key: str) -> h5py.Dataset:
    """Return a dataset of this very file; soft links inside it are followed.

    Raises
    ------
    ArtifactError
        If it is missing, is no dataset, or its data may lie elsewhere.
    """
    item = _followed(path, file, key)
    if not isinstance(item, h5py.Dataset):
        raise ArtifactError(f"{path}: {key}: expected a dataset, found a {type(item).__name__}")
    refuse_data_elsewhere(path, key, item)
    return item


def _followed(path: Path, file: h5py.File, key: str) -> Any:
    """Walk to an object step by step, so that no library follows a link out of the file."""
    waiting, item, links = [key], file["/"], 0
    while waiting:
        step = waiting.pop(0)
        link = item.get(step, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            found = f"; found {sorted(file)}" if not links else ", which a soft link names"
            raise ArtifactError(f"{path}: {key if not links else step}: missing{found}")
        if isinstance(link, h5py.ExternalLink):
            raise ArtifactError(
                f"{path}: {key}: expected data in this file, found a link to another file"
            )
        if isinstance(link, h5py.SoftLink):
            links += 1
            if links > _MOST_LINKS:
                raise ArtifactError(f"{path}: {key}: soft links that go round in a circle")
            parts = [part for part in link.path.split("/") if part not in ("", ".")]
            waiting = parts + waiting
            item = file["/"] if link.path.startswith("/") else item
        elif isinstance(link, h5py.HardLink):
            try:
                item = item[step]
            except (KeyError, OSError) as error:
                raise ArtifactError(f"{path}: {key}: cannot be opened: {error}") from error
        else:
            raise ArtifactError(f"{path}: {key}: expected data in this file, found another link")
    return item
