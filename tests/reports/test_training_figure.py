"""The first epoch does not rule the axis; every change of the rate is drawn."""

import numpy as np
import pytest

from pipeline.artifacts.learning_curve import LearningCurve, StartCurves
from pipeline.reports.training_figure import learning_curve
from tests.reports.profile_of_one import cosine_curve, curves_of_two, plateau_curve


def figure_of(columns):
    return learning_curve(LearningCurve(**columns))


def legend(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_axis_ends_where_most_epochs_do_and_what_is_cut_is_said():
    (axes,) = figure_of(plateau_curve()).axes
    low, high = axes.get_ylim()
    assert 45 < low < 52.6
    assert 60 < high < 80
    assert axes.get_title(loc="left") == "2 epochs lie above; epoch 1: 2000.5 MeV"
    assert "Best: epoch 40, 53.10 MeV" in legend(axes)


def test_changes_of_the_rate_stand_between_the_epochs():
    (axes,) = figure_of(plateau_curve()).axes
    marks = [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1]
    assert {20.5, 30.5} <= set(marks)
    assert {"0.0005", "0.00025"} <= {text.get_text() for text in axes.texts}


def test_a_rate_that_always_changes_is_a_curve():
    axes, rates = figure_of(cosine_curve()).axes
    (line,) = rates.lines
    np.testing.assert_allclose(line.get_ydata(), cosine_curve()["learning_rate"])
    assert "Learning rate (right)" in legend(axes)


@pytest.mark.parametrize("rmse", [0.0, 50.0])
def test_a_network_that_was_given_is_one_point(rmse):
    columns = {"epoch": [0.0], "train_rmse_mev": [rmse], "validation_rmse_mev": [rmse],
               "learning_rate": [0.0]}  # fmt: skip
    (axes,) = figure_of(columns).axes
    low, high = axes.get_ylim()
    assert low < rmse < high
    assert axes.lines[0].get_marker() == "o"


def test_two_epochs():
    columns = {name: values[:2] for name, values in cosine_curve().items()}
    (axes,) = figure_of(columns).axes
    assert axes.get_xlim() == (0.5, 2.5)


def test_all_starts_stand_behind_the_best():
    starts = StartCurves(**curves_of_two())
    (axes,) = learning_curve(LearningCurve(**plateau_curve()), starts).axes
    first, second, *_ = axes.lines
    assert list(first.get_ydata()) == [465.7]
    assert list(second.get_ydata()) == plateau_curve()["validation_rmse_mev"]
    assert "Validation, all 2 starts" in legend(axes)
    assert axes.get_ylim() == figure_of(plateau_curve()).axes[0].get_ylim()


def test_one_start_is_not_drawn_twice():
    alone = {name: values[1:] for name, values in curves_of_two().items()}
    (axes,) = learning_curve(LearningCurve(**plateau_curve()), StartCurves(**alone)).axes
    assert not [text for text in legend(axes) if "starts" in text]
