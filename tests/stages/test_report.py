"""The stage ``report``: tables and figures of numbers alone, the same bytes each time."""

import csv
from pathlib import Path

import pytest

from pipeline import report
from pipeline.artifacts.finetune import FINETUNE
from pipeline.artifacts.implementation import IMPLEMENTATION, Implementation
from pipeline.artifacts.learning_curve import FINETUNE_CURVE, TRAIN_CURVE, TRAIN_STARTS
from pipeline.artifacts.profile import PROFILE
from pipeline.artifacts.search import SEARCH
from pipeline.artifacts.survey import SURVEY, Survey
from pipeline.base.errors import PipelineError
from pipeline.base.files import write_csv, write_json
from pipeline.base.schema import write
from tests.firmware.sections import rtl_design
from tests.reports.profile_of_one import cosine_curve, curves_of_two, plateau_curve, profile
from tests.reports.search_of_four import FRONT, search
from tests.reports.survey_of_two import CHOSEN, WIDE

FIGURES = {
    "energy_nj": 0.1, "validation_rmse_mev": 50.0, "weight_bits": 40.0, "bits": {}, "epochs": 60,
}  # fmt: skip
OUTPUTS = [
    "metrics/networks.md",
    "metrics/plots/training/finetune.png",
    "metrics/plots/training/train.png",
    "metrics/search.md",
    "metrics/plots/pareto.csv",
    "metrics/plots/pareto_front.csv",
    "metrics/plots/search/pareto.png",
    "metrics/implement.md",
    "metrics/plots/implement/area.png",
    "metrics/survey.md",
    "metrics/plots/survey.csv",
    "metrics/plots/survey/area.png",
]


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(SEARCH, search())
    write(IMPLEMENTATION, Implementation(design=rtl_design(), families=[CHOSEN.core]))
    write(SURVEY, Survey(networks=[CHOSEN, WIDE]))
    write_json(FINETUNE, FIGURES)
    write(PROFILE, profile())
    write_csv(TRAIN_CURVE, plateau_curve())
    write_csv(TRAIN_STARTS, curves_of_two())
    write_csv(FINETUNE_CURVE, cosine_curve())


def written() -> list[str]:
    """What the stage wrote: the files that are not its inputs."""
    found = {str(path) for path in Path("metrics").rglob("*") if path.is_file()}
    return sorted(
        found - {str(path) for path in (FINETUNE, TRAIN_CURVE, TRAIN_STARTS, FINETUNE_CURVE)}
    )


def test_every_table_and_figure_is_written_the_same_each_time(workplace):
    report.main()
    assert written() == sorted(OUTPUTS)
    first = [Path(path).read_bytes() for path in OUTPUTS]
    report.main()
    assert first == [Path(path).read_bytes() for path in OUTPUTS]
    assert FRONT in Path("metrics/search.md").read_text()
    assert "| 384 cells | 102784 |" in Path("metrics/implement.md").read_text()
    assert "| uniform_16 | 20000 | 0 | 500 | 0 |" in Path("metrics/survey.md").read_text()
    with Path("metrics/plots/survey.csv").open() as table:
        assert [row["network"] for row in csv.DictReader(table)] == ["finetuned", "uniform_16"]


def test_without_rtl_reports_say_so_and_leave_no_old_figure(workplace):
    report.main()
    write(IMPLEMENTATION, Implementation(no_rtl="only tables"))
    write(SURVEY, Survey(no_rtl="only tables"))
    report.main()
    assert Path("metrics/implement.md").read_text() == "only tables\n"
    assert Path("metrics/survey.md").read_text() == "only tables\n"
    assert Path("metrics/plots/survey.csv").read_text() == "network,lut,validation_rmse_mev\n"
    assert list(Path("metrics/plots/implement").iterdir()) == []
    assert list(Path("metrics/plots/survey").iterdir()) == []


@pytest.mark.parametrize("path", [SEARCH, IMPLEMENTATION, SURVEY, FINETUNE, PROFILE])
def test_an_artifact_that_is_none_is_named_and_nothing_is_written(workplace, path):
    write_json(path, {"schema_version": 3})
    with pytest.raises(PipelineError, match=f"^{path}: "):
        report.main()
    assert written() == []


@pytest.mark.parametrize("path", [TRAIN_CURVE, FINETUNE_CURVE])
@pytest.mark.parametrize("text", ["", "epoch\n1\n", "epoch,learning_rate\nx,1\n"])
def test_a_table_that_is_no_curve_is_named_and_nothing_is_written(workplace, path, text):
    path.write_text(text)
    with pytest.raises(PipelineError, match=f"^{path}: "):
        report.main()
    assert written() == []


def test_the_last_line_says_what_was_reached(workplace, capsys):
    report.main()
    assert capsys.readouterr().err.startswith("report: 50.00 MeV, 100.0 pJ: metrics/networks.md")
