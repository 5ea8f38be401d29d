"""A description of RTL may come from anywhere, and goes into the scripts of tools."""

import json

import pytest

from pipeline.artifacts.design import DESIGN, RtlDesign
from pipeline.base.files import ArtifactError
from pipeline.base.schema import read, write
from tests.firmware.sections import rtl_design


def test_what_is_written_is_read_again(tmp_path):
    design = rtl_design()
    write(tmp_path / DESIGN, design)
    assert read(RtlDesign, tmp_path / DESIGN) == design
    assert json.loads((tmp_path / DESIGN).read_text()) == {
        "schema_version": 1,
        "top": "cell_rnn",
        "cells": 12,
        "clock_period_ns": 2.0,
        "window_length": 5,
        "sample_bits": 12,
        "energy_bits": 12,
        "stages": 18,
        "latency_cycles": 19,
        "adder_operations": 700,
    }


@pytest.mark.parametrize(("cells", "bits"), [(1, 1), (2, 1), (3, 2), (12, 4), (1024, 10)])
def test_bits_of_a_cells_number(cells, bits):
    assert rtl_design(cells=cells).cell_bits == bits


def test_a_missing_number_is_named(tmp_path):
    (tmp_path / DESIGN).write_text('{"top": "cell_rnn"}')
    with pytest.raises(ArtifactError, match=r"design\.json: cells: Field required"):
        read(RtlDesign, tmp_path / DESIGN)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("top", "t; exec rm -r x", "top: .*expected"),
        ("top", "t -o x", "top: .*expected"),
        ("top", "t\nx", "top: .*expected"),
        ("top", "a/b", "top: .*expected"),
        ("top", "cell_", "top: .*expected"),
        ("top", ["t"], "top: .*valid string"),
        ("top", "entity", "top: .* reserved in VHDL"),
        ("top", "cell", "top: .* reserved in Verilog"),
        ("top", "mux", "top: .* reserved in the generated RTL"),
        ("cells", "3", "cells: .*valid integer, found '3'"),
        ("cells", True, "cells: .*valid integer, found True"),
        ("cells", 0, "cells: .*greater than or equal to 1, found 0"),
        ("cells", 1025, "cells: .*less than or equal to 1024, found 1025"),
        ("sample_bits", 33, "sample_bits: .*less than or equal to 32, found 33"),
        ("energy_bits", 0, "energy_bits: .*greater than or equal to 1, found 0"),
        ("window_length", 0, "window_length: .*greater than or equal to 1, found 0"),
        ("stages", -1, "stages: .*greater than or equal to 0, found -1"),
        ("latency_cycles", 2.5, "latency_cycles: .*valid integer, found 2.5"),
        ("latency_cycles", 0, "latency_cycles: .*greater than or equal to 1, found 0"),
        ("adder_operations", -1, "adder_operations: .*greater than or equal to 0, found -1"),
        ("clock_period_ns", "2", "clock_period_ns: .*valid number, found '2'"),
        ("clock_period_ns", 0, "clock_period_ns: .*greater than 0, found 0"),
        ("clock_period_ns", float("inf"), "clock_period_ns: .*finite number, found inf"),
        ("schema_version", 2, "schema_version: .* found 2"),
        ("more", 1, "more: Extra inputs"),
    ],
)
def test_a_description_that_lies_is_refused(tmp_path, name, value, message):
    design = rtl_design().model_dump() | {name: value}
    (tmp_path / DESIGN).write_text(json.dumps(design))
    with pytest.raises(ArtifactError, match=rf"design\.json: {message}"):
        read(RtlDesign, tmp_path / DESIGN)
