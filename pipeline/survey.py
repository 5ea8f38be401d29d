"""Stage ``survey``: area against RMSE of several networks, built alike.

Reads models/integer.json and metrics/finetune.json (the fine-tuned network),
models/candidates.json (points of the front and uniform networks) and data/prepared.h5
(validation split); writes models/survey.json and metrics/survey.json. `report` makes tables
and figures of them. RTL or a netlist that is not its network fails the stage. An LSTM or a GRU
has no RTL: the file says so, the metrics are ``available: 0``.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from pipeline.artifacts.candidates import Candidates
from pipeline.artifacts.finetune import FINETUNE, FinetuneFigures
from pipeline.artifacts.survey import SURVEY, Survey
from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_json
from pipeline.base.schema import read, write
from pipeline.firmware.rtl.verilator import require_verilator
from pipeline.firmware.survey.metrics import line, survey_metrics
from pipeline.firmware.survey.subjects import finetuned, searched
from pipeline.firmware.survey.survey import survey_all
from pipeline.firmware.synthesis.yosys import yosys_version
from pipeline.integers.network import INTEGER_NETWORK, NO_RTL, IntegerNetwork
from pipeline.params import load_params
from pipeline.samples.prepared import PREPARED, read_prepared

METRICS = Path("metrics/survey.json")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    network = read(IntegerNetwork, INTEGER_NETWORK)
    if not network.exact:
        write(SURVEY, Survey(no_rtl=NO_RTL))
        write_json(METRICS, {"available": 0})
        print(NO_RTL)
        return
    require_verilator()
    yosys_version()
    candidates = read(Candidates, Path("models/candidates.json")).candidates
    subjects = [finetuned(network, read(FinetuneFigures, FINETUNE)), *map(searched, candidates)]
    validation = read_prepared(PREPARED).validation
    surveyed = survey_all(
        subjects, validation, params.rtl, params.survey, params.implement.timeout_s
    )
    by_name = {}
    with closing(surveyed):
        for one in tqdm(surveyed, total=len(subjects), unit="network", disable=None):
            by_name[one.name] = one
            tqdm.write(line(one))
    networks = [by_name[subject.name] for subject in subjects]
    write(SURVEY, Survey(networks=networks))
    write_json(METRICS, survey_metrics(networks))
    say(f"survey: {len(networks)} networks built and simulated; {SURVEY}, {METRICS}")


if __name__ == "__main__":
    run_stage(main)
