from __future__ import annotations

import dataclasses
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from pipeline.evaluation import plots, tables
from pipeline.evaluation.sample import gap_profiles, response_profiles
from pipeline.presentation.style import LOOKS, drawing, looks, save_png

LABEL = "A cell, 50 $ a channel, ⟨μ⟩ = 140"
NAMES = ("residuals", "by_class", "by_gap", "response", "stretch")


def draw(name, sample, params):
    content = tables.metrics(sample)
    with drawing():
        match name:
            case "residuals":
                group = sample.energy_class("high")
                return plots.residual_distribution(sample, group, content, params, LABEL)
            case "by_class":
                return plots.resolution_by_class(sample, content, LABEL)
            case "by_gap":
                edges = params.gap_edges_bc
                return plots.resolution_by_gap(gap_profiles(sample), edges, "≥ 240 MeV", LABEL)
            case "response":
                return plots.response(response_profiles(sample, 500.0), LABEL)
            case _:
                return plots.stretch(sample, 100, 100, LABEL)


def saved(path, name, sample, params):
    with drawing():
        save_png(draw(name, sample, params), path)
    return path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_small_and_their_bytes_repeat(tmp_path, sample, params, name):
    first = saved(tmp_path / "a.png", name, sample, params)
    with matplotlib.rc_context({"font.size": 31, "axes.facecolor": "red"}):
        second = saved(tmp_path / "b.png", name, sample, params)
    assert first == second
    assert first.startswith(b"\x89PNG")
    assert b"tEXt" not in first
    assert len(first) < 150_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize("name", NAMES)
def test_every_axis_has_a_unit_and_every_figure_the_label(sample, params, name):
    figure = draw(name, sample, params)
    assert figure.axes[0].get_title(loc="left") == LABEL
    named = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert named
    assert all("[" in title or " / " in title for title in named)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_without_deposits_still_draws(tmp_path, sample, params, name):
    nothing = np.zeros_like(sample.true_mev)
    names = list(sample.reco_mev)
    empty = [
        dataclasses.replace(g, mask=np.zeros_like(g.mask)) if g.name in ("low", "high") else g
        for g in sample.by_energy
    ]
    quiet = dataclasses.replace(
        sample,
        true_mev=nothing,
        reco_mev=dict.fromkeys(names, nothing),
        residual_mev=dict.fromkeys(names, nothing),
        by_energy=empty,
        by_gap=[dataclasses.replace(g, mask=np.zeros_like(g.mask)) for g in sample.by_gap],
    )
    assert saved(tmp_path / "a.png", name, quiet, params)


@pytest.mark.parametrize(
    ("start", "length", "first", "last"),
    [(100, 50, 100, 149), (10**9, 50, 2947, 2996), (0, 50, 2, 51), (0, 10**6, 2, 2996)],
)
def test_the_stretch_stays_within_the_split(sample, start, length, first, last):
    with drawing():
        figure = plots.stretch(sample, start, length, LABEL)
    line = figure.axes[0].get_lines()[0]
    assert (line.get_xdata()[0], line.get_xdata()[-1]) == (first, last)
    position = int(first) - sample.first_bc
    assert line.get_ydata()[0] == sample.dig_mev[position] / 1e3


def test_the_histogram_drawn_is_the_histogram_computed(sample, params):
    figure = draw("residuals", sample, params)
    titles = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    rmse = tables.metrics(sample)["float"]["high"]["rmse_mev"]
    assert f"RNN, float, RMSE {rmse:.1f} MeV" in titles


def test_unknown_reconstructions_get_a_look_of_their_own():
    found = looks(["float", "pruned", "distilled"])
    assert found["float"] == LOOKS["float"]
    assert found["pruned"].title == "pruned"
    assert found["pruned"].colour != found["distilled"].colour


def test_no_global_state_of_pyplot_is_touched():
    code = "import sys, pipeline.evaluate; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"matplotlib.pyplot", "tensorflow"} & set(done.stdout.split())
