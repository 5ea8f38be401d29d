"""Networks that Keras wrote are read as they are; everything else is one clear error."""

from __future__ import annotations

import io
import json
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.base.files import ArtifactError
from pipeline.base.weights import save_weights
from pipeline.given_network.weights import GivenNetwork, read_given
from tests.given_network.keras_files import FORMATS, LENGTH, UNITS, keras_model, save, tensors

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
FORM = Architecture("SimpleRNN", UNITS, LENGTH)


def form(cell: str) -> Architecture:
    return Architecture(cell, UNITS, LENGTH)


def fails(path: Path, architecture: Architecture = FORM) -> str:
    with pytest.raises(ArtifactError) as caught:
        read_given(path, architecture)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def require_equal(found: GivenNetwork, model: tf.keras.Model) -> None:
    expected = tensors(model)
    assert set(found.weights) == set(expected)
    for name, value in expected.items():
        assert found.weights[name].dtype == np.float32
        np.testing.assert_array_equal(found.weights[name], value)


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_cell_in_every_format(tmp_path, cell, name):
    model = keras_model(cell)
    found = read_given(save(model, tmp_path / name), form(cell))
    require_equal(found, model)
    weights_alone = name in ("old.h5", "model.weights.h5")
    assert ["weights alone" in remark for remark in found.remarks] == [True] * weights_alone


def test_a_trained_model_with_its_optimizer(tmp_path):
    model = keras_model()
    model.compile("adam", "mse")
    model.fit(np.ones((8, LENGTH, 1)), np.ones((8, 1)), verbose=0)
    for name in FORMATS:
        require_equal(read_given(save(model, tmp_path / name), FORM), model)


def test_a_functional_model(tmp_path):
    sequential = keras_model()
    inputs = tf.keras.Input((LENGTH, 1), name="samples")
    model = tf.keras.Model(inputs, sequential.layers[1](sequential.layers[0](inputs)))
    for name in FORMATS:
        require_equal(read_given(save(model, tmp_path / name), FORM), sequential)


def test_a_window_of_any_length(tmp_path):
    layers = keras_model().layers
    model = tf.keras.Sequential([tf.keras.Input((None, 1)), *layers])
    require_equal(read_given(save(model, tmp_path / "any.h5"), FORM), model)


def test_the_pipelines_own_file(tmp_path):
    model = keras_model()
    path = tmp_path / "float.weights.h5"
    save_weights(path, tensors(model))
    require_equal(read_given(path, FORM), model)


def rewritten(tmp_path: Path, kind: str) -> Path:
    """The pipeline's file with tensors of another type."""
    path = tmp_path / "types.h5"
    with h5py.File(path, "w") as file:
        for name, value in tensors(keras_model()).items():
            file[name] = value.astype(kind)
    return path


@pytest.mark.parametrize("kind", ["<f8", ">f8", ">f4", "<f2"])
def test_other_floats_are_converted_and_it_is_said(tmp_path, kind):
    found = read_given(rewritten(tmp_path, kind), FORM)
    assert any("converted to float32" in remark for remark in found.remarks)
    for name, value in tensors(keras_model()).items():
        np.testing.assert_array_equal(found.weights[name], value.astype(kind).astype(np.float32))


@pytest.mark.parametrize("kind", ["i4", "c8", "S4", "?"])
def test_other_types_are_refused(tmp_path, kind):
    assert "expected float16, float32 or float64" in fails(rewritten(tmp_path, kind))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_numbers_that_float32_does_not_hold_are_refused(tmp_path, bad):
    path = rewritten(tmp_path, "<f8")
    with h5py.File(path, "a") as file:
        file["rnn/bias"][1] = bad
    assert "rnn/bias: expected finite" in fails(path)


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        ("SimpleRNN", {"activation": "tanh"}, "activation: expected relu, found tanh"),
        ("SimpleRNN", {"go_backwards": True}, "go_backwards: expected False, found True"),
        ("SimpleRNN", {"use_bias": False}, "use_bias: expected True"),
        ("LSTM", {"activation": "relu"}, "activation: expected tanh, found relu"),
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}, "expected sigmoid, found hard_sig"),
        ("GRU", {"reset_after": False}, "reset_after: expected True, found False"),
    ],
)
@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_another_function_is_refused(tmp_path, cell, options, message, name):
    assert message in fails(save(keras_model(cell, **options), tmp_path / name), form(cell))


def test_a_gru_of_the_other_kind_is_known_by_its_shape(tmp_path):
    path = save(keras_model("GRU", reset_after=False), tmp_path / "old.h5")
    assert "reset_after: false" in fails(path, form("GRU"))


@pytest.mark.parametrize("name", FORMATS)
def test_another_width_is_refused(tmp_path, name):
    message = fails(save(keras_model(units=5), tmp_path / name))
    assert "5" in message
    assert "train.units" in message


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_another_window_is_refused(tmp_path, name):
    path = save(keras_model(), tmp_path / name)
    message = fails(path, Architecture("SimpleRNN", UNITS, 5))
    assert "expected windows of 5 samples (prepare.window_length), found 3" in message


@pytest.mark.parametrize("name", FORMATS)
def test_another_cell_is_refused(tmp_path, name):
    assert "train.cell" in fails(save(keras_model("LSTM"), tmp_path / name))


@pytest.mark.parametrize(
    "extra",
    [
        tf.keras.layers.Lambda(lambda x: x),
        tf.keras.layers.Dense(UNITS, activation="relu"),
        tf.keras.layers.LayerNormalization(),
    ],
)
@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_another_layer_is_refused_and_not_run(tmp_path, extra, name):
    first, last = keras_model().layers
    model = tf.keras.Sequential([tf.keras.Input((LENGTH, 1)), first, extra, last])
    message = fails(save(model, tmp_path / name))
    assert f"found InputLayer, SimpleRNN, {type(extra).__name__}, Dense" in message


@pytest.mark.parametrize(
    "last",
    [
        tf.keras.layers.Dense(1),
        tf.keras.layers.Dense(2, activation="relu"),
        tf.keras.layers.Dense(1, activation="sigmoid"),
    ],
)
def test_another_answer_is_refused(tmp_path, last):
    model = tf.keras.Sequential([tf.keras.Input((LENGTH, 1)), keras_model().layers[0], last])
    assert "Dense: " in fails(save(model, tmp_path / "model.h5"))


def test_two_features_are_refused(tmp_path):
    first, last = keras_model().layers
    cell = tf.keras.layers.SimpleRNN.from_config(first.get_config())
    model = tf.keras.Sequential([tf.keras.Input((LENGTH, 2)), cell, last])
    assert "(batch, samples, 1)" in fails(save(model, tmp_path / "model.h5"))
    assert "rnn/kernel: expected shape (1, 4)" in fails(save(model, tmp_path / "old.h5"))


KERNEL = "model_weights/my_cell/my_cell/simple_rnn_cell/kernel:0"


def reaching_out(file: h5py.File, folder: Path, kind: str) -> None:
    value = file[KERNEL][...]
    del file[KERNEL]
    if kind == "external":
        file[KERNEL] = h5py.ExternalLink("secret.h5", "x")
    elif kind == "soft":
        file["elsewhere"] = value
        file[KERNEL] = h5py.SoftLink("/elsewhere")
    elif kind == "dangling":
        file[KERNEL] = h5py.SoftLink("/nowhere")
    elif kind == "storage":
        (folder / "secret.bin").write_bytes(value.tobytes())
        file.create_dataset(
            KERNEL, value.shape, "f4", external=[(str(folder / "secret.bin"), 0, value.nbytes)]
        )
    elif kind == "virtual":
        layout = h5py.VirtualLayout(value.shape, "f4")
        layout[...] = h5py.VirtualSource(str(folder / "secret.h5"), "x", value.shape)
        file.create_virtual_dataset(KERNEL, layout)


@pytest.mark.parametrize("kind", ["external", "soft", "dangling", "storage", "virtual"])
def test_a_file_that_reaches_outside_itself_is_refused(tmp_path, kind):
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["x"] = np.zeros((1, UNITS), "f4")
    path = save(keras_model(), tmp_path / "model.h5")
    with h5py.File(path, "a") as file:
        reaching_out(file, tmp_path, kind)
    assert "expected data in this file" in fails(path)


@pytest.mark.parametrize("name", ["model_weights", "layers"])
def test_a_whole_group_that_is_a_link_is_refused(tmp_path, name):
    save(keras_model(), tmp_path / "real.h5")
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file[name] = h5py.ExternalLink("real.h5", "model_weights")
    assert "expected data in this file, found a link" in fails(path)


def test_a_group_inside_itself_ends(tmp_path):
    path = tmp_path / "loop.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("rnn")
        group["again"] = group
    assert "expected the few tensors of one network" in fails(path)


def test_a_huge_tensor_is_refused_unread(tmp_path):
    path = tmp_path / "huge.h5"
    with h5py.File(path, "w") as file:
        for name, value in tensors(keras_model()).items():
            if name != "rnn/recurrent_kernel":
                file[name] = value
        file.create_dataset("rnn/recurrent_kernel", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024))
    assert "expected shape (4, 4)" in fails(path)


def packed(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_json", ".json").replace("_h5", ".weights.h5"), data)
    return path


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path):
    path = packed(tmp_path / "bomb.keras", config_json=b"{}", model_h5=bytes((64 << 20) + 1))
    assert path.stat().st_size < 1 << 20
    assert "expected at most" in fails(path)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "config.json"),
        ({"config_json": b"{}"}, "model.weights.h5"),
        ({"config_json": b"[1]", "model_h5": b""}, "expected an object"),
        ({"config_json": b"{", "model_h5": b""}, "JSON is broken"),
        ({"config_json": b"[" * 200_000, "model_h5": b""}, "JSON is broken"),
        ({"config_json": b"{}", "model_h5": b"no HDF5"}, "not a readable .keras"),
    ],
)
def test_a_zip_that_is_no_model_is_refused(tmp_path, members, message):
    assert message in fails(packed(tmp_path / "x.keras", other=b"", **members))


@pytest.mark.parametrize("place", range(60, 400, 20))
def test_a_zip_that_is_damaged_is_refused(tmp_path, place):
    noise = np.random.default_rng(1).integers(0, 4, 4000, np.uint8).tobytes()
    path = packed(tmp_path / "x.keras", config_json=noise, model_h5=noise)
    data = bytearray(path.read_bytes())
    data[place : place + 8] = b"\xff" * 8
    path.write_bytes(data)
    assert "x.keras: " in fails(path)


def with_model(tmp_path: Path, model: Any) -> Path:
    data = io.BytesIO()
    with h5py.File(data, "w"):
        pass
    text = json.dumps(model).encode()
    return packed(tmp_path / "x.keras", config_json=text, model_h5=data.getvalue())


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"config": None},
        {"config": {"layers": 3}},
        {"config": {"layers": [None]}},
        {"config": {"layers": [{}, {}]}},
        {"config": {"layers": [{"class_name": ["Dense"]}]}},
        {"config": {"layers": [{"class_name": "SimpleRNN"}, {"class_name": "Dense"}]}},
        {"config": {"layers": [{"class_name": "SimpleRNN", "config": {"units": 1e999}},
                               {"class_name": "Dense", "config": 7}]}},
    ],
)  # fmt: skip
def test_json_of_any_form_is_one_error(tmp_path, model):
    fails(with_model(tmp_path, model))


def test_no_file_no_model(tmp_path):
    assert fails(tmp_path / "none.h5").endswith("no such file")
    assert "SavedModel" in fails(tmp_path)
    text = tmp_path / "text.h5"
    text.write_text("weights")
    assert "not a readable HDF5 file" in fails(text)
    empty = tmp_path / "empty.h5"
    with h5py.File(empty, "w"):
        pass
    assert "found no tensors" in fails(empty)
    fifo = tmp_path / "pipe.h5"
    os.mkfifo(fifo)
    assert "no file" in fails(fifo)


@pytest.mark.parametrize("name", FORMATS)
def test_a_truncated_file_is_one_error(tmp_path, name):
    path = save(keras_model(), tmp_path / name)
    data = path.read_bytes()
    for part in (0.2, 0.5, 0.9):
        path.write_bytes(data[: int(len(data) * part)])
        fails(path)


# Of a whole model, libhdf5 can loop for ever in the damaged heap of its JSON: only weights here.
@pytest.mark.parametrize("name", ["old.h5", "model.weights.h5"])
def test_bytes_changed_at_random_are_read_or_one_error(tmp_path, name):
    data = save(keras_model(), tmp_path / name).read_bytes()
    copy = tmp_path / "damaged.h5"
    random = np.random.default_rng(5)
    for _ in range(100):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), 20):
            damaged[place] = random.integers(256)
        copy.write_bytes(damaged)
        with suppress(ArtifactError):
            read_given(copy, FORM)
