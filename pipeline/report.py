"""Stage ``report``: tables and figures of the search, the implementation and the survey.

Reads models/search.json, models/implementation.json, models/survey.json and
metrics/finetune.json; measures nothing. Writes metrics/search.md, implement.md and survey.md,
metrics/plots/pareto.csv, pareto_front.csv and survey.csv, and figures in metrics/plots/search,
implement and survey. For an LSTM or a GRU the last two reports say that there is no RTL.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.finetune import FINETUNE, FinetuneFigures
from pipeline.artifacts.implementation import IMPLEMENTATION, Implementation
from pipeline.artifacts.search import SEARCH, SearchResult
from pipeline.artifacts.survey import SURVEY, Survey
from pipeline.base.errors import run_stage
from pipeline.base.files import replacing_directory, write_csv, write_text
from pipeline.base.schema import read
from pipeline.presentation.style import drawing, save_png
from pipeline.reports.area_plot import area_figure
from pipeline.reports.implementation import implementation_markdown
from pipeline.reports.search_figure import trade_off
from pipeline.reports.search_front import front_columns, front_markdown, pareto_table
from pipeline.reports.survey import survey_columns, survey_markdown
from pipeline.reports.survey_figure import area_against_rmse

PLOTS = Path("metrics/plots")


def main() -> None:
    """Run the stage in the working directory."""
    search, survey = read(SearchResult, SEARCH), read(Survey, SURVEY)
    implementation, finetune = read(Implementation, IMPLEMENTATION), read(FinetuneFigures, FINETUNE)
    with drawing():
        write_search(search)
        write_implementation(implementation, finetune)
        write_survey(survey)


def write_search(search: SearchResult) -> None:
    """Write the front of a search, and all trials."""
    trials = pareto_table(search)
    write_text(Path("metrics/search.md"), front_markdown(search))
    write_csv(PLOTS / "pareto.csv", trials)
    write_csv(PLOTS / "pareto_front.csv", front_columns(search))
    with replacing_directory(PLOTS / "search") as directory:
        save_png(trade_off(trials), directory / "pareto.png")


def write_implementation(implementation: Implementation, finetune: FinetuneFigures) -> None:
    """Write area and clock of one streaming core."""
    write_text(Path("metrics/implement.md"), implementation_markdown(implementation, finetune))
    with replacing_directory(PLOTS / "implement") as directory:
        if implementation.families:
            save_png(area_figure(implementation.families), directory / "area.png")


def write_survey(survey: Survey) -> None:
    """Write area against RMSE of several networks."""
    networks = survey_columns(survey.networks)
    write_text(Path("metrics/survey.md"), survey_markdown(survey))
    write_csv(PLOTS / "survey.csv", networks)
    with replacing_directory(PLOTS / "survey") as directory:
        if survey.networks:
            label = f"LUT of one streaming core, {survey.networks[0].core.title}"
            save_png(area_against_rmse(networks, label), directory / "area.png")


if __name__ == "__main__":
    run_stage(main)
