"""Which trials of a search are taken, and what is said about those that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.artifacts.search import SearchResult, Trial
from pipeline.base.architecture import Architecture, network_shapes
from pipeline.base.errors import PipelineError
from pipeline.quantization.finetuning.candidates import candidate, select
from pipeline.quantization.finetuning.export import to_integer_network
from pipeline.quantization.finetuning.trials import trial_quantizers
from pipeline.quantization.training.network import frozen_weights
from pipeline.quantizers.quantizer import QuantizerError
from tests.quantization.quantizer_sets import quantizer_set, random_weights
from tests.quantization.searched import search_result, trial_row

ARCHITECTURE = Architecture("SimpleRNN", 8, 4)
FRONT = ["03", "00", "04", "02", "07", "05"]  # from the cheapest to the most expensive


def search_with_a_front(**changed) -> SearchResult:
    """Trials 00 to 07: those of `FRONT` are on the front, 01 and 06 are not."""
    names = [f"{n:02d}" for n in range(8)]
    rows = [
        trial_row(
            name,
            units=4 + n,
            on_front=name in FRONT,
            energy_nj=0.04 + 0.01 * FRONT.index(name) if name in FRONT else 0.5,
            **changed if name == "02" else {},
        )
        for n, name in enumerate(names)
    ]
    return search_result(rows, [trial_row("uniform_8"), trial_row("uniform_16")])


def taken(points, uniform_bits=()):
    trials = select(search_with_a_front(), points, uniform_bits, ARCHITECTURE)
    return [trial.trial for trial in trials]


@pytest.mark.parametrize(
    ("points", "places"),
    [(0, []), (1, [0]), (2, [0, 5]), (3, [0, 2, 5]), (4, [0, 2, 3, 5]), (9, [0, 1, 2, 3, 4, 5])],
)
def test_points_are_spread_over_the_front_from_the_cheapest_on(points, places):
    assert taken(points) == [FRONT[place] for place in places]


def test_uniform_networks_are_left_out_where_the_search_trained_none():
    none = search_with_a_front().model_copy(update={"uniform": []})
    trials = select(none, ["00"], [8, 16], ARCHITECTURE)
    assert [trial.trial for trial in trials] == ["00"]


def test_trials_and_uniform_networks_can_be_named():
    assert taken([6, "00", "uniform_8", 6, "best"], [16, 8]) == [
        "06", "00", "uniform_8", "07", "uniform_16",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "candidate_name", "kind"),
    [
        ("03", "trial_03", "front"),
        ("06", "trial_06", "trial"),
        ("uniform_8", "uniform_8", "uniform"),
    ],
)
def test_a_candidate_is_the_frozen_trial_with_the_figures_of_the_search(name, candidate_name, kind):
    trial = search_with_a_front().network(name, "survey.points")
    weights = random_weights(network_shapes("SimpleRNN", trial.units))
    made = candidate(trial, ARCHITECTURE, weights, 16.0)
    assert (made.name, made.kind) == (candidate_name, kind)
    assert made.energy_pj == 1000 * trial.energy_nj
    assert made.weight_bits == 300
    assert made.bits["rnn_kernel"] == 5
    assert made.bits["input"] == 12
    quantizers = quantizer_set("auto_po2")
    assert set(made.bits) == {tensor.replace("/", "_") for tensor in quantizers}
    architecture = ARCHITECTURE.with_units(trial.units)
    frozen = frozen_weights(architecture, quantizers, weights)
    assert made.network == to_integer_network(architecture, frozen, quantizers, 16.0)
    assert made.network.window_length == 4
    kernel = made.network.rnn.kernel
    np.testing.assert_array_equal(kernel.array * kernel.type.step, frozen["rnn/kernel"])


def test_a_candidate_rounds_as_its_trial_does():
    """Whatever `search.rounding` is by then: the strings of the trial say it."""
    texts = {tensor: q.text for tensor, q in quantizer_set("half up, once").items()}
    trial = search_with_a_front(quantizers=texts).network("02", "survey.points")
    weights = random_weights(network_shapes("SimpleRNN", trial.units))
    network = candidate(trial, ARCHITECTURE, weights, 16.0).network
    kinds = [network.rnn.activation, network.rnn.state, network.output]
    assert [kind.rounding for kind in kinds] == ["RND"] * 3
    assert network.rnn.activation == network.rnn.state
    assert network.input.rounding == "RND_CONV"


@pytest.mark.parametrize(
    ("points", "bits", "message"),
    [
        ([99], [8], r"^survey\.points: 99: expected best or one of 00, .*search\.json"),
        (1, [8, 12], r"^survey\.uniform_bits: uniform_12: expected .*uniform_8, uniform_16"),
    ],
)
def test_what_is_not_there_names_the_parameter(points, bits, message):
    with pytest.raises(PipelineError, match=message):
        taken(points, bits)


def test_a_trial_with_float_tensors_names_the_parameter_and_the_tensors():
    texts = dict(trial_row("02")["quantizers"])
    del texts["dense/kernel"]
    search = search_with_a_front(quantizers=texts)
    with pytest.raises(QuantizerError, match=r"^survey\.points: 02: not an integer .*dense/kernel"):
        select(search, ["02"], [], ARCHITECTURE)


def test_the_quantizers_of_a_trial_are_those_of_its_strings():
    assert trial_quantizers(Trial(**trial_row("0"))) == quantizer_set("auto_po2")


def test_a_bad_string_in_the_search_names_file_and_tensor():
    trial = Trial(**trial_row("0", quantizers={"rnn/bias": "oops(3)"}))
    with pytest.raises(QuantizerError, match=r"^models/search\.json: rnn/bias: .*'oops'"):
        trial_quantizers(trial)
