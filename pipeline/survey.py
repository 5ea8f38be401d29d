"""Stage ``survey``: area against RMSE of several networks, built alike.

Reads models/integer.json and metrics/finetune.json (the fine-tuned network),
models/search.json and models/search.weights.h5 (points of the front and reference points)
and data/prepared.h5 (validation split); writes metrics/survey.json, metrics/survey.md,
metrics/plots/survey.csv and metrics/plots/survey/area.png. RTL or a netlist that is not
its network fails the stage.
"""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from pipeline.artifacts import read_json, read_prepared, write_csv, write_json, write_text
from pipeline.errors import run_stage
from pipeline.evaluation.area_trade_off import area_against_rmse
from pipeline.evaluation.style import drawing, save_png
from pipeline.firmware.open_synthesis import FAMILIES, yosys_version
from pipeline.firmware.rtl_project import RtlOptions
from pipeline.firmware.survey import Subject, SurveyOptions, finetuned, survey_all
from pipeline.firmware.survey_report import columns, line, markdown, metrics
from pipeline.firmware.verilator import require_verilator
from pipeline.integer_network import read_integer_network
from pipeline.params import load_params
from pipeline.quantization.export import to_integer_network
from pipeline.quantization.search_file import candidates, trial_weights

SEARCH = Path("models/search.json")
SEARCH_WEIGHTS = Path("models/search.weights.h5")
PLOTS = Path("metrics/plots")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    rtl = params.rtl
    cell = params.train.cell
    options = SurveyOptions(
        RtlOptions(rtl.top, rtl.adders_per_stage, rtl.clock_period_ns, rtl.cells),
        params.survey.family,
        params.survey.windows,
        params.survey.netlist_windows,
        rtl.stream_gap_probability,
        rtl.stream_seed,
        params.implement.timeout_s,
    )
    require_verilator()
    yosys_version()
    search = read_json(SEARCH)
    points, uniform_bits = params.survey.points, params.survey.uniform_bits
    chosen = candidates(search, points, uniform_bits, cell, str(SEARCH))
    validation = read_prepared(Path("data/prepared.h5")).validation
    network = read_integer_network(Path("models/integer.json"))
    subjects = [finetuned(network, read_json(Path("metrics/finetune.json")))]

    # TensorFlow takes seconds to load: only once parameters and data are known good.
    from pipeline.quantization.network import frozen_weights

    for point in chosen:
        weights = trial_weights(SEARCH_WEIGHTS, search, point.trial.name, cell)
        quantizers, length = point.trial.quantizers, validation.window_length
        frozen = frozen_weights(cell, length, quantizers, weights)
        integers = to_integer_network(frozen, quantizers, length, validation.et_scale_gev)
        subjects.append(
            Subject(
                point.name, point.kind, integers, point.energy_pj, point.weight_bits, point.bits
            )
        )
    found = []
    surveyed = survey_all(subjects, validation, options)
    for one in tqdm(surveyed, total=len(subjects), unit="network", disable=None):
        found.append(one)
        tqdm.write(line(one))
    table = columns(found)
    write_json(Path("metrics/survey.json"), metrics(found))
    write_text(Path("metrics/survey.md"), markdown(found))
    write_csv(PLOTS / "survey.csv", table)
    title = FAMILIES[options.family].title
    with drawing():
        figure = area_against_rmse(table, f"LUT of one streaming core, {title}")
        save_png(figure, PLOTS / "survey" / "area.png")


if __name__ == "__main__":
    run_stage(main)
