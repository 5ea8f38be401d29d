"""Stage ``candidates``: networks of the search as integers, for `survey` to build.

Reads models/search.json, models/search.weights.h5 and data/prepared.h5 (window length and
scale only); writes models/candidates.json: the trials of ``survey.points`` and the networks
of ``survey.uniform_bits``, frozen as they were trained. An LSTM or a GRU has no exact
integers and no RTL: the list is then empty.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.candidates import Candidates
from pipeline.artifacts.search import SEARCH, SearchResult
from pipeline.base.architecture import Architecture
from pipeline.base.errors import run_stage, say
from pipeline.base.schema import read, write
from pipeline.params import load_params
from pipeline.quantization.finetuning.candidates import candidate, select
from pipeline.quantization.finetuning.trials import trial_weights
from pipeline.samples.prepared import PREPARED, read_prepared

CANDIDATES = Path("models/candidates.json")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params()
    cell, survey = params.train.cell, params.survey
    if cell != "SimpleRNN":
        write(CANDIDATES, Candidates(candidates=[]))
        return
    search = read(SearchResult, SEARCH)
    split = read_prepared(PREPARED).validation
    architecture = Architecture(cell, search.units, split.window_length)
    trials = select(search, survey.points, survey.uniform_bits, architecture)
    weights = trial_weights(search, architecture)
    write(
        CANDIDATES,
        Candidates(
            candidates=[
                candidate(trial, architecture, weights[trial.trial], split.et_scale_gev)
                for trial in trials
            ]
        ),
    )
    names = ", ".join(trial.trial for trial in trials)
    say(f"candidates: {len(trials)} networks as integers ({names}); {CANDIDATES}")


if __name__ == "__main__":
    run_stage(main)
