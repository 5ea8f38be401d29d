"""The figure of the search, and the level of OFMax on it."""

from __future__ import annotations

from pipeline.presentation.style import drawing, save_png
from pipeline.reports.search_figure import trade_off

TABLE = {
    "energy_nj": [0.03, 0.04, 0.05, 0.045, 0.09],
    "validation_rmse_mev": [55.0, 50.4, 50.2, 400.0, 50.3],
    "on_front": [1, 1, 1, 0, 0],
    "chosen": [0, 1, 0, 0, 0],
    "uniform": [0, 0, 0, 0, 1],
    "float_rmse_mev": [49.5] * 5,
    "ofmax_rmse_mev": [58.3] * 5,
}


def lines(table):
    with drawing():
        axes = trade_off(table).axes[0]
    return axes, {line.get_label(): line for line in axes.get_lines()}


def test_it_shows_trials_front_points_levels_and_the_choice():
    axes, found = lines(TABLE)
    assert set(found) == {
        "Trials", "Front", "Same bits everywhere", "Chosen", "RNN, float", "OFMax",
    }  # fmt: skip
    assert found["Front"].get_xdata().tolist() == [0.03, 0.04, 0.05]
    assert found["Chosen"].get_ydata().tolist() == [50.4]
    assert len(found["Trials"].get_xdata()) == 4
    assert set(found["OFMax"].get_ydata()) == {58.3}
    low, high = axes.get_ylim()
    assert low < 49.5 < 58.3 < high < 100  # the outlier does not squeeze the rest
    assert "[nJ]" in axes.get_xlabel()
    assert "[MeV]" in axes.get_ylabel()


def test_without_uniform_networks():
    _, found = lines({**TABLE, "uniform": [0] * 5})
    assert "Same bits everywhere" not in found


def test_the_same_table_gives_the_same_bytes(tmp_path):
    with drawing():
        for name in ("a.png", "b.png"):
            save_png(trade_off(TABLE), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
