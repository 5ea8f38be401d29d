from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from pipeline.base.files import Cell, Columns
from pipeline.evaluation import tables
from pipeline.evaluation.sample import response_profiles


def rows_of(columns: Columns) -> list[dict[str, Cell]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.fixture
def no_deposit(sample):
    """The same sample with the class `above_1gev` emptied."""
    by_energy = [
        dataclasses.replace(group, mask=np.zeros_like(group.mask))
        if group.name == "above_1gev"
        else group
        for group in sample.by_energy
    ]
    return dataclasses.replace(sample, by_energy=by_energy)


def test_metrics_hold_every_reconstruction_and_class(sample):
    content = tables.metrics(sample)
    assert list(content) == ["ofmax", "float", "quantized", "firmware"]
    assert content["firmware"] == content["quantized"]
    assert set(content["float"]) == {
        *("all", "zero", "low", "high", "above_1gev"),
        *("gap_0_15", "gap_16_18", "gap_19_22", "gap_23_30", "gap_above_30"),
    }
    found = content["float"]
    assert (
        found["all"]["count"]
        == found["zero"]["count"] + found["low"]["count"] + (found["high"]["count"])
    )
    rmse = np.sqrt(np.mean(sample.residual_mev["float"] ** 2))
    assert found["all"]["rmse_mev"] == pytest.approx(rmse, abs=1e-4)


def test_an_empty_class_is_valid_json_and_a_dash_in_the_table(no_deposit):
    content = tables.metrics(no_deposit)
    assert content["ofmax"]["above_1gev"] == {"count": 0}
    json.dumps(content, allow_nan=False)
    table = tables.markdown(no_deposit, content, "Label")
    assert "| ≥ 1 GeV | ofmax | 0 | - | - | - | - | - | - |" in table
    empty = [r for r in rows_of(tables.by_class_columns(no_deposit, content)) if r["count"] == 0]
    assert {row["class"] for row in empty} >= {"above_1gev"}
    assert all(row["rmse_mev"] == "" for row in empty)


def test_the_table_has_one_row_per_class_and_reconstruction(sample):
    content = tables.metrics(sample)
    lines = tables.markdown(sample, content, "Label").splitlines()
    assert lines[0] == "# Label"
    rows = [line for line in lines if line.startswith("| ") and line[2] not in "-c"]
    assert len(rows) == 10 * 4
    assert f"{content['float']['zero']['rmse_mev']:.1f}" in next(
        r for r in rows if "| 0 | float" in r
    )


def test_the_residual_columns_have_the_shares_of_two_classes(sample, params):
    rows = rows_of(tables.residuals_columns(sample, params))
    columns = {f"{group}_{name}" for group in ("all", "high") for name in sample.reco_mev}
    assert set(rows[0]) == {"residual_mev", *columns}
    assert len(rows) == 101
    assert sum(float(row["all_float"]) for row in rows) == pytest.approx(1, abs=1e-3)


def test_the_response_has_finite_rows(sample, params):
    rows = rows_of(tables.response_columns(response_profiles(sample, params.response_bin_mev)))
    assert {row["reconstruction"] for row in rows} == set(sample.reco_mev)
    assert all(np.isfinite(float(row["median_mev"])) for row in rows)
