"""Stage ``report``: tables and figures of training, search, implementation and survey.

Reads models/profile.json, search.json, implementation.json and survey.json,
metrics/finetune.json and the curves metrics/plots/train.csv and finetune.csv; measures nothing.
Writes metrics/networks.md, search.md, implement.md and survey.md, metrics/plots/pareto.csv,
pareto_front.csv and survey.csv, and figures in metrics/plots/training, search, implement and
survey. For an LSTM or a GRU the last two reports say that there is no RTL.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.finetune import FINETUNE, FinetuneFigures
from pipeline.artifacts.implementation import IMPLEMENTATION, Implementation
from pipeline.artifacts.learning_curve import TrainingCurves
from pipeline.artifacts.profile import PROFILE, NetworkProfile
from pipeline.artifacts.search import SEARCH, SearchResult
from pipeline.artifacts.survey import SURVEY, Survey
from pipeline.base.errors import run_stage, say
from pipeline.base.files import replacing_directory, write_csv, write_text
from pipeline.base.schema import read
from pipeline.base.units import PJ_PER_NJ
from pipeline.presentation.style import drawing, save_png
from pipeline.reports.area_plot import area_figure
from pipeline.reports.implementation import implementation_markdown
from pipeline.reports.networks import networks_markdown
from pipeline.reports.search_figure import trade_off
from pipeline.reports.search_front import front_columns, front_markdown, pareto_table
from pipeline.reports.survey import survey_columns, survey_markdown
from pipeline.reports.survey_figure import area_against_rmse
from pipeline.reports.training_figure import learning_curve

PLOTS = Path("metrics/plots")


def main() -> None:
    """Run the stage in the working directory."""
    search, survey = read(SearchResult, SEARCH), read(Survey, SURVEY)
    implementation, finetune = read(Implementation, IMPLEMENTATION), read(FinetuneFigures, FINETUNE)
    profile = read(NetworkProfile, PROFILE)
    curves = TrainingCurves.read()
    with drawing():
        write_networks(profile, curves)
        write_search(search)
        write_implementation(implementation, finetune)
        write_survey(survey)
    say(
        f"report: {finetune.validation_rmse_mev:.2f} MeV, {finetune.energy_nj * PJ_PER_NJ:.1f} pJ: "
        "metrics/networks.md, search.md, implement.md, survey.md; figures in metrics/plots",
    )


def write_networks(profile: NetworkProfile, curves: TrainingCurves) -> None:
    """Write what the chosen network is, and how it and the float network were trained."""
    write_text(Path("metrics/networks.md"), networks_markdown(profile))
    with replacing_directory(PLOTS / "training") as directory:
        save_png(learning_curve(curves.train, curves.starts), directory / "train.png")
        save_png(learning_curve(curves.finetune), directory / "finetune.png")


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
