"""Stage ``survey``: area against RMSE of several networks, built alike.

Reads models/integer.json and metrics/finetune.json (the fine-tuned network),
models/search.json and models/search.weights.h5 (points of the front and reference points)
and data/prepared.h5 (validation split); writes metrics/survey.json, metrics/survey.md,
metrics/plots/survey.csv and metrics/plots/survey/area.png. RTL or a netlist that is not
its network fails the stage. An LSTM or a GRU has no RTL: the report says so, the metrics are
``available: 0``.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from pipeline.base.errors import run_stage
from pipeline.base.files import read_json, replacing_directory, write_csv, write_json, write_text
from pipeline.base.schema import read
from pipeline.firmware.rtl.project import RtlOptions
from pipeline.firmware.rtl.verilator import require_verilator
from pipeline.firmware.survey.subjects import Subject, finetuned
from pipeline.firmware.survey.survey import SurveyOptions, survey_all
from pipeline.firmware.synthesis.yosys import FAMILIES, yosys_version
from pipeline.integers.network import INTEGER_NETWORK, NO_RTL, IntegerNetwork
from pipeline.params import load_params
from pipeline.presentation.style import drawing, save_png
from pipeline.quantization.finetuning.candidates import candidates
from pipeline.quantization.finetuning.export import to_integer_network
from pipeline.quantization.training.record import trial_weights
from pipeline.reports.survey import columns, line, markdown, metrics
from pipeline.reports.survey_figure import area_against_rmse
from pipeline.samples.prepared import PREPARED, read_prepared

SEARCH = Path("models/search.json")
SEARCH_WEIGHTS = Path("models/search.weights.h5")
METRICS, REPORT = Path("metrics/survey.json"), Path("metrics/survey.md")
PLOTS = Path("metrics/plots")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    network = read(IntegerNetwork, INTEGER_NETWORK)
    if not network.exact:
        write_unavailable()
        return
    rtl, cell = params.rtl, params.train.cell
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
    validation = read_prepared(PREPARED).validation
    subjects = [finetuned(network, read_json(Path("metrics/finetune.json")))]

    # TensorFlow takes seconds to load: only once parameters and data are known good.
    from pipeline.quantization.training.network import frozen_weights

    for point in chosen:
        weights = trial_weights(SEARCH_WEIGHTS, search, point.trial.name, cell)
        quantizers, length = point.trial.quantizers, validation.window_length
        frozen = frozen_weights(cell, length, quantizers, weights)
        integers = to_integer_network(frozen, quantizers, length, validation.et_scale_gev)
        costs = point.energy_pj, point.weight_bits, point.bits
        subjects.append(Subject(point.name, point.kind, integers, *costs))
    by_name = {}
    with closing(survey_all(subjects, validation, options)) as surveyed:
        for one in tqdm(surveyed, total=len(subjects), unit="network", disable=None):
            by_name[one.subject.name] = one
            tqdm.write(line(one))
    found = [by_name[subject.name] for subject in subjects]
    table = columns(found)
    write_json(METRICS, metrics(found))
    write_text(REPORT, markdown(found))
    write_csv(PLOTS / "survey.csv", table)
    with drawing():
        label = f"LUT of one streaming core, {FAMILIES[options.family].title}"
        save_png(area_against_rmse(table, label), PLOTS / "survey" / "area.png")


def write_unavailable() -> None:
    """Write every output of the stage for a network without RTL."""
    write_json(METRICS, {"available": 0})
    write_text(REPORT, f"{NO_RTL}\n")
    write_csv(PLOTS / "survey.csv", {"network": [], "lut": [], "validation_rmse_mev": []})
    with replacing_directory(PLOTS / "survey"):
        print(NO_RTL)


if __name__ == "__main__":
    run_stage(main)
