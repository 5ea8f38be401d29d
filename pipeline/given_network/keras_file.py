"""What Keras' files hold, as plain data: tensors by layer, and the model's JSON where there is one.

Keras' own loader builds what a file describes, which can be any code (a Lambda layer, a custom
class). Here only numbers and JSON are read, with h5py:

- ``.h5`` of Keras 2, a whole model or weights: ``[model_weights/]<layer>/.../kernel:0``;
- ``.weights.h5`` of Keras 2.15 and 3: ``layers/<layer>/[cell/]vars/0``;
- ``.keras``, a ZIP of ``config.json`` and such a ``model.weights.h5``;
- ``models/float.weights.h5`` of this pipeline: ``<layer>/kernel``.

Files from elsewhere are untrusted: only data in the file itself are read. Links, external storage,
virtual datasets and filters that are plug-ins would let it reach other files or code.
"""

from __future__ import annotations

import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from pipeline.base.errors import one_line
from pipeline.base.files import ArtifactError
from pipeline.base.weights import HDF5_DAMAGE, open_hdf5, refuse_data_elsewhere

# What zipfile raises where a member is damaged.
_ZIP_DAMAGE = (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, lzma.LZMAError)
_MOST_BYTES = 64 << 20  # of a member of a ZIP, unpacked
_MOST_ITEMS = 1000  # groups and datasets
_MOST_LEVELS = 8
_OWN_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
# Where layers lie; of the other groups (optimizer, metrics) nothing is opened.
_LAYERS_AT = ("model_weights", "layers", "_layer_checkpoint_dependencies")
_ORDER = {True: ("kernel", "recurrent_kernel", "bias"), False: ("kernel", "bias")}

Tensors = dict[str, dict[str, h5py.Dataset]]


@dataclass(frozen=True)
class KerasFile:
    """Content of an open file.

    Attributes
    ----------
    tensors
        Datasets by layer and by ``kernel``, ``recurrent_kernel`` or ``bias``; not read yet.
    model
        Keras' JSON of the model: ``{"class_name": ..., "config": ...}``; None where the file
        holds weights alone.
    """

    tensors: Tensors
    model: dict[str, Any] | None


@contextmanager
def open_keras_file(path: Path) -> Iterator[KerasFile]:
    """Open a file of Keras or of this pipeline.

    Raises
    ------
    ArtifactError
        If the file is missing, none of these, damaged, or reaches outside itself.
    """
    if path.is_dir():
        raise ArtifactError(
            f"{path}: expected a file (.h5, .weights.h5 or .keras), found a folder: a SavedModel "
            "is code; save the weights with model.save_weights"
        )
    if _is_zip(path):
        with _unpacked(path) as (file, model):
            yield _content(path, file, model)
        return
    with open_hdf5(path) as file:
        yield _content(path, file, None)


def _is_zip(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error


@contextmanager
def _unpacked(path: Path) -> Iterator[tuple[h5py.File, dict[str, Any]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            model = _json(path, _member(path, archive, "config.json"))
            data = _member(path, archive, "model.weights.h5")
        file = h5py.File(io.BytesIO(data), "r")
    except (*_ZIP_DAMAGE, *HDF5_DAMAGE) as error:
        raise ArtifactError(f"{path}: not a readable .keras file: {one_line(error)}") from error
    with file:
        yield file, model


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        stated = archive.getinfo(name).file_size
    except KeyError:
        raise ArtifactError(f"{path}: expected {name} in a .keras file, found none") from None
    with archive.open(name) as member:
        data = member.read(_MOST_BYTES + 1)
    if max(stated, len(data)) > _MOST_BYTES:
        raise ArtifactError(f"{path}: {name}: expected at most {_MOST_BYTES} bytes, found more")
    return data


def _content(path: Path, file: h5py.File, model: dict[str, Any] | None) -> KerasFile:
    try:
        if model is None and "model_config" in file.attrs:
            model = _json(path, _text(path, file, "model_config"))
        datasets = dict(_datasets(path, _layers(path, file), (), []))
        return KerasFile(_by_layer(path, datasets), model)
    except HDF5_DAMAGE as error:
        raise ArtifactError(f"{path}: damaged HDF5 file: {one_line(error)}") from error


def _text(path: Path, file: h5py.File, name: str) -> Any:
    """Read an attribute that is one string: a damaged shape could ask for any number of them."""
    attribute = file.attrs.get_id(name)
    if attribute.shape != () or h5py.check_string_dtype(attribute.dtype) is None:
        raise ArtifactError(f"{path}: {name}: expected one string, found {attribute.dtype}")
    return file.attrs[name]


def _json(path: Path, text: Any) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: the model's JSON is broken: {one_line(error)}") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path}: the model's JSON: expected an object")
    return content


def _layers(path: Path, file: h5py.File) -> h5py.Group:
    """Return the group whose members are layers."""
    for name in _LAYERS_AT:
        if name in file.keys():  # noqa: SIM118 - `in file` would open what a link points to
            group = _own(path, file, name, name)
            if not isinstance(group, h5py.Group):
                raise ArtifactError(f"{path}: {name}: expected a group")
            return group
    return file


def _datasets(
    path: Path, group: h5py.Group, above: tuple[str, ...], seen: list[str]
) -> Iterator[tuple[tuple[str, ...], h5py.Dataset]]:
    """Walk over everything in a group that lies in this very file."""
    for name in group:
        place = (*above, name)
        key = "/".join(place)
        seen.append(key)
        if len(seen) > _MOST_ITEMS or len(place) > _MOST_LEVELS:
            raise ArtifactError(f"{path}: {key}: expected the few tensors of one network")
        item = _own(path, group, name, key)
        if isinstance(item, h5py.Group):
            yield from _datasets(path, item, place, seen)
        elif isinstance(item, h5py.Dataset):
            yield place, item


def _own(path: Path, group: h5py.Group, name: str, key: str) -> Any:
    """Return a member of a group whose data lie in this very file."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise ArtifactError(f"{path}: {key}: expected data in this file, found a link")
    item = group[name]
    if isinstance(item, h5py.Dataset):
        refuse_data_elsewhere(path, key, item)
        plist = item.id.get_create_plist()
        filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
        if not filters <= _OWN_FILTERS:
            raise ArtifactError(f"{path}: {key}: expected gzip or no compression, found another")
    return item


def _by_layer(path: Path, datasets: dict[tuple[str, ...], h5py.Dataset]) -> Tensors:
    """Name the tensors: by their own names, or by their order behind ``vars``."""
    tensors: Tensors = {}
    for place, dataset in datasets.items():
        layer, last = place[0], place[-1]
        if "seed_generator" in place or len(place) == 1:
            continue  # state of a dropout; numbers that belong to no layer
        name = last.split(":")[0]
        if place[-2] == "vars":
            order = _ORDER["cell" in place]
            name = order[int(last)] if last.isdecimal() and int(last) < len(order) else last
        found = tensors.setdefault(layer, {})
        if name in found:
            raise ArtifactError(f"{path}: {layer}: expected one {name}, found several")
        found[name] = dataset
    return tensors
