"""What datasets of an HDF5 file say about themselves, read where a damaged file can do no harm.

HDF5 follows the addresses of a string in an attribute without looking: in a damaged file the
process dies of it, with no message. So a copy of this process reads them, and may die.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pipeline.base.files import ArtifactError

_PATIENCE_S = 5  # damaged ones can also send it round for ever

Texts = list[dict[str, str]]


def read_texts(
    path: Path, datasets: Mapping[str, h5py.Dataset], names: tuple[str, ...]
) -> dict[str, Texts]:
    """Return attributes as text: of each dataset, of the group it lies in, of the file.

    Parameters
    ----------
    path
        Named in messages.
    datasets
        By key.
    names
        Of the attributes, in lower case.

    Raises
    ------
    ArtifactError
        If they cannot be read.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(writing, datasets, names)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise ArtifactError(f"{path}: damaged HDF5 file: its attributes cannot be read")
    texts: dict[str, Texts] = json.loads(answer)
    return texts


def _answer(
    pipe: int, datasets: Mapping[str, h5py.Dataset], names: tuple[str, ...]
) -> None:  # in the copy of the process, which ends here
    status = 1
    try:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_PATIENCE_S)
        texts = {
            key: [
                {
                    name: text
                    for name in place.attrs
                    if name.strip().lower() in names and (text := _text(place.attrs[name]))
                }
                for place in (dataset, dataset.parent, dataset.file)
            ]
            for key, dataset in datasets.items()
        }
        with os.fdopen(pipe, "wb") as file:
            file.write(json.dumps(texts).encode())
        status = 0
    finally:  # whatever h5py raises: the status says it
        os._exit(status)


def _text(value: Any) -> str:
    """Return an attribute as text: HDF5 has strings, bytes, and arrays of either."""
    if isinstance(value, h5py.Empty):
        return ""
    if isinstance(value, np.ndarray):
        value = value.ravel().tolist()
        value = value[0] if len(value) == 1 else value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).strip("\0 \t\n")
