"""Both forms of every weight in a written project are those of the network."""

import numpy as np
import pytest

from pipeline.firmware.hls import project as hls_project
from pipeline.firmware.hls.project import write_project
from pipeline.firmware.hls.weights import HlsWeightsError, check_weights
from tests.firmware.hls.targets import target
from tests.integers.networks import random_gated_network, random_network

NETWORKS = {
    "simple_rnn": random_network(5, 3, 2),
    "lstm": random_gated_network("lstm"),
    "gru": random_gated_network("gru"),
}
# float64 holds all of it and hls4ml prints as many digits as a type has bits behind the point.
LAYERS = [
    {
        "name": "dense",
        "weight_data": np.array([[0.5, -0.25], [0.0, 2.0**-24]]),
        "bias_data": np.array([1.0, -1.0]),
    }
]
FILES = {"dense": {"weight": "w2", "bias": "b2"}}


# Of an LSTM or a GRU there is no oneAPI project.
@pytest.mark.parametrize(
    ("backend", "kind"),
    [(b, kind) for b in ("Vitis", "Quartus", "oneAPI") for kind in NETWORKS][:7],
)
def test_what_hls4ml_writes_passes(tmp_path, backend, kind):
    write_project(NETWORKS[kind], target(backend, gate_table_size=1024), tmp_path / "p")


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    ("backend", "suffix"), [("Vitis", "h"), ("Vitis", "txt"), ("Quartus", "h")]
)
def test_every_file_is_compared(tmp_path, monkeypatch, kind, backend, suffix):
    """Whichever file hls4ml got wrong, the project is refused and nothing is left of it."""
    write = hls_project._write
    write_project(NETWORKS[kind], target(backend, gate_table_size=1024), tmp_path / "sound")
    names = sorted(path.name for path in (tmp_path / "sound/firmware/weights").glob(f"*.{suffix}"))
    assert len(names) > 5
    for name in names:

        def wrong(model, name=name):
            write(model)
            path = tmp_path / "p" / "firmware" / "weights" / name
            text = path.read_text()
            start = text.index("= {") + 3 if suffix == "h" else 0
            first = text[start:].split(",")[0].split("}")[0]
            path.write_text(text[:start] + text[start:].replace(first, "0.7109375", 1))

        monkeypatch.setattr(hls_project, "_write", wrong)
        message = rf"^{name}: 1 of \d+ weights .* first entry 0: expected .*, found 0.7109375$"
        with pytest.raises(HlsWeightsError, match=message):
            write_project(NETWORKS[kind], target(backend, gate_table_size=1024), tmp_path / "p")
        assert not (tmp_path / "p").exists()


def put(directory, header: str, text: str) -> None:
    (directory / "w2.h").write_text(f"#ifndef W2_H_\nt w2[4];\n#else\nt w2[4] = {{{header}}};\n")
    (directory / "w2.txt").write_text(text)
    (directory / "b2.h").write_text("t b2[2] = {1.0, -1.0};")
    (directory / "b2.txt").write_text("1.0, -1.0")


GOOD = "0.5, -0.25, 0.0, 0.000000059604644775390625"


def test_the_smallest_difference_is_named(tmp_path):
    put(tmp_path, GOOD, GOOD)
    check_weights(tmp_path, LAYERS, FILES, intel=False)
    put(tmp_path, GOOD, GOOD.replace("59604644775390625", "5960464477"))
    with pytest.raises(HlsWeightsError, match=r"^w2\.txt: 1 of 4 .* first entry 3: expected 5\.96"):
        check_weights(tmp_path, LAYERS, FILES, intel=False)
    with pytest.raises(HlsWeightsError, match=r"^w2\.h: 2 of 4 .* first entry 1: expected 0\.0,"):
        check_weights(tmp_path, LAYERS, FILES, intel=True)


@pytest.mark.parametrize(
    ("header", "text", "message"),
    [
        ("0.5, -0.25", GOOD, r"^w2\.h: an array of 4 has 2 values"),
        (GOOD, "0.5, -0.25", r"^w2\.txt: expected 4 values, found 2"),
        (GOOD, "0.5, x, 0, 0", r"^w2\.txt: could not convert .*x"),
        (GOOD, "0.5, nan, 0, 0", r"^w2\.txt: 2 of 4 .* entry 1: expected -0\.25, found nan"),
        (f"{GOOD}}}; t w[1] = {{1", GOOD, r"^w2\.h: expected one list of values, found 2"),
    ],
)
def test_files_that_are_no_weights_are_refused(tmp_path, header, text, message):
    put(tmp_path, header, text)
    with pytest.raises(HlsWeightsError, match=message):
        check_weights(tmp_path, LAYERS, FILES, intel=False)


def test_a_missing_file_or_tensor_is_named(tmp_path):
    put(tmp_path, GOOD, GOOD)
    with pytest.raises(HlsWeightsError, match="dense: no file for the tensor bias"):
        check_weights(tmp_path, LAYERS, {"dense": {"weight": "w2"}}, intel=False)
    (tmp_path / "b2.txt").unlink()
    with pytest.raises(HlsWeightsError, match=r"^b2\.txt: No such file"):
        check_weights(tmp_path, LAYERS, FILES, intel=False)
