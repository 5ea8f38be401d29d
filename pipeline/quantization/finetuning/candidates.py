"""Which networks of a search are built beside the fine-tuned one, and what they are as integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.artifacts.candidates import Candidate, Kind
from pipeline.artifacts.search import RankedTrial, SearchResult, Trial, uniform_name
from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32
from pipeline.base.units import PJ_PER_NJ
from pipeline.integers.network import IntegerNetwork
from pipeline.quantization.finetuning.export import to_integer_network
from pipeline.quantization.finetuning.trials import trial_quantizers
from pipeline.quantizers.hardware import check_exportable
from pipeline.quantizers.quantizer import QuantizerError


def select(
    search: SearchResult,
    points: int | Sequence[str | int],
    uniform_bits: Sequence[int],
    architecture: Architecture,
) -> list[Trial]:
    """Return the trials of ``survey.points`` and the networks of ``survey.uniform_bits``.

    Parameters
    ----------
    search
        Content of ``models/search.json``.
    points
        At most so many trials of the front, evenly spread from the cheapest to the most
        expensive, or the names of trials. What is named twice counts once.
    uniform_bits
        Bits of uniform networks; none where the search has trained none.
    architecture
        Cell and time steps; trials may have other units.

    Raises
    ------
    PipelineError
        Naming the parameter: for a trial that is not there, or that is no integer
        network.
    """
    named = _spread(search.front, points) if isinstance(points, int) else points
    wanted = [("survey.points", name) for name in named]
    if search.uniform:
        wanted += [("survey.uniform_bits", uniform_name(bits)) for bits in uniform_bits]
    selected = {}
    for key, name in wanted:
        trial = search.network(name, key)
        try:
            check_exportable(architecture, trial_quantizers(trial))
        except QuantizerError as error:
            raise QuantizerError(f"{key}: {trial.trial}: {error}") from None
        selected[trial.trial] = trial
    return list(selected.values())


def candidate(
    trial: Trial, architecture: Architecture, weights: Mapping[str, F32], et_scale_gev: float
) -> Candidate:
    """Freeze a trial of a SimpleRNN and return it as integers.

    Parameters
    ----------
    trial
        One of `select`.
    architecture
        Cell and time steps; the trial may have other units.
    weights
        As trained, by tensor.
    et_scale_gev
        What E_T was divided by.
    """
    from pipeline.quantization.training.network import frozen_weights  # loads TensorFlow

    quantizers = trial_quantizers(trial)
    architecture = architecture.with_units(trial.units)
    frozen = frozen_weights(architecture, quantizers, weights)
    network = to_integer_network(architecture, frozen, quantizers, et_scale_gev)
    assert isinstance(network, IntegerNetwork)
    kind = _kind(trial)
    return Candidate(
        name=trial.trial if kind == "uniform" else f"trial_{trial.trial}",
        kind=kind,
        energy_pj=PJ_PER_NJ * trial.energy_nj,
        weight_bits=int(trial.weight_bits),
        bits={tensor.replace("/", "_"): q.bits for tensor, q in quantizers.items()},
        network=network,
    )


def _kind(trial: Trial) -> Kind:
    if not isinstance(trial, RankedTrial):
        return "uniform"
    return "front" if trial.on_front else "trial"


def _spread(front: Sequence[Trial], points: int) -> list[str]:
    """Names of at most `points` trials, evenly spread along the front, ends included."""
    places = np.linspace(0, len(front) - 1, min(points, len(front)))
    return [front[int(place)].trial for place in np.rint(places)]
