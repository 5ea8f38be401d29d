"""The figure of the survey."""

from __future__ import annotations

import pytest

from pipeline.presentation.style import drawing, save_png
from pipeline.reports.survey_figure import area_against_rmse

TABLE = {
    "network": ["finetuned", "trial_15", "trial_18", "trial_02", "uniform_16", "uniform_8"],
    "kind": ["finetuned", "front", "front", "trial", "uniform", "uniform"],
    "lut": [3212, 5200, 1400, 3900, 17000, 5100],
    "validation_rmse_mev": [50.17, 50.12, 54.51, 51.32, 49.7, 50.32],
}


def draw(table):
    with drawing():
        axes = area_against_rmse(table, "LUT of one core").axes[0]
    return axes, {line.get_label(): line for line in axes.get_lines()}


def test_every_network_is_drawn_as_what_it_is_and_labelled():
    axes, found = draw(TABLE)
    assert found["Front of the search"].get_xdata().tolist() == [1400, 5200]
    assert found["Front of the search"].get_ydata().tolist() == [54.51, 50.12]
    assert found["Front of the search"].get_linestyle() == "-"
    assert found["Same bits everywhere"].get_xdata().tolist() == [5100, 17000]
    assert found["Same bits everywhere"].get_marker() == "D"
    assert found["Trials"].get_linestyle() == "None"
    assert found["Chosen, fine-tuned"].get_xdata().tolist() == [3212]
    labels = {text.get_text(): text.xy for text in axes.texts}
    assert labels == {
        name: (lut, rmse)
        for name, lut, rmse in zip(
            TABLE["network"], TABLE["lut"], TABLE["validation_rmse_mev"], strict=True
        )
    }
    assert axes.get_xlabel() == "LUT of one core"
    assert "[MeV]" in axes.get_ylabel()


def test_all_points_lie_inside_the_frame():
    axes, _ = draw(TABLE)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert all(left < lut < right for lut in TABLE["lut"])
    assert all(low < rmse < high for rmse in TABLE["validation_rmse_mev"])


@pytest.mark.parametrize("kind", ["finetuned", "front"])
def test_one_network_alone(kind):
    table = {name: values[:1] for name, values in TABLE.items()} | {"kind": [kind]}
    _, found = draw(table)
    assert len(found) == 1


def test_the_same_table_gives_the_same_bytes(tmp_path):
    with drawing():
        for name in ("a.png", "b.png"):
            save_png(area_against_rmse(TABLE, "LUT"), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
