"""The repairs of hls4ml's LSTM: found where they belong, refused where they do not."""

import pytest

from pipeline.firmware.gated_templates import HEADER, TemplateError, repair_templates
from pipeline.firmware.hls_project import HlsOptions, write_project
from tests.firmware.networks import random_gated_network


def project(tmp_path, kind, backend):
    directory = tmp_path / "p"
    write_project(random_gated_network(kind), HlsOptions(backend, "part", 5.0, "cell"), directory)
    return directory


@pytest.mark.parametrize("backend", ["Vitis", "Vivado", "Quartus"])
def test_an_lstm_is_repaired_once(tmp_path, backend):
    directory = project(tmp_path, "lstm", backend)
    with pytest.raises(TemplateError, match=r"nnet_recurrent\.h: .* expected \d in hls4ml 1\.3\.0"):
        repair_templates(directory, "LSTM", backend)


@pytest.mark.parametrize(("kind", "backend"), [("gru", "Vitis"), ("gru", "Quartus")])
def test_a_gru_is_left_as_it_is(tmp_path, kind, backend):
    directory = project(tmp_path, kind, backend)
    before = (directory / HEADER).read_bytes()
    repair_templates(directory, "GRU", backend)
    repair_templates(directory, None, backend)
    assert (directory / HEADER).read_bytes() == before


def test_a_failed_repair_leaves_no_project(tmp_path, monkeypatch):
    from pipeline.firmware import hls_project

    def fails(*_):
        raise TemplateError("not the known one")

    monkeypatch.setattr(hls_project, "repair_templates", fails)
    with pytest.raises(TemplateError):
        project(tmp_path, "lstm", "Vitis")
    assert not (tmp_path / "p").exists()
