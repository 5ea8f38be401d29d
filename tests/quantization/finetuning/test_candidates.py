"""Which trials of a search are taken, and what is said about those that cannot be."""

from __future__ import annotations

import pytest

from pipeline.quantization.finetuning.candidates import candidates
from pipeline.quantization.quantizers.quantizer import QuantizerError
from pipeline.quantization.training.record import chosen_trial
from tests.quantization.quantizer_sets import quantizer_set

ORIGIN = "models/search.json"


def found_trials(*names: str) -> dict:
    texts = {tensor: q.text for tensor, q in quantizer_set("auto_po2").items()}
    rows = [{"trial": name, "quantizers": texts, "units": 4 + n} for n, name in enumerate(names)]
    return {"best": names[-1], "trials": rows[1:], "uniform": rows[:1]}


@pytest.mark.parametrize(
    ("trial", "name", "units"),
    [
        ("best", "11", 6), ("07", "07", 5), (7, "07", 5), ("7", "07", 5),
        ("uniform_8", "uniform_8", 4),
    ],
)  # fmt: skip
def test_any_trial_of_the_search_can_be_chosen(trial, name, units):
    search = found_trials("uniform_8", "07", "11")
    chosen = chosen_trial(search, trial, "models/search.json")
    assert (chosen.name, chosen.units) == (name, units)
    assert chosen.quantizers == quantizer_set("auto_po2")


@pytest.mark.parametrize("trial", ["12", 12, "uniform", "block1_07"])
def test_a_trial_that_is_not_there_names_those_that_are(trial):
    with pytest.raises(QuantizerError, match=rf"finetune\.trial: {trial}: .*07, 11, uniform_8"):
        chosen_trial(found_trials("uniform_8", "07", "11"), trial, "models/search.json")


@pytest.mark.parametrize("search", [{}, {"quantizers": {}}, {"trials": [{}], "uniform": []}])
def test_a_search_without_choice_is_refused(search):
    with pytest.raises(QuantizerError, match=r"models/search\.json: not the result of a search"):
        chosen_trial(search, "best", "models/search.json")


def test_a_bad_string_in_the_search_names_file_and_tensor():
    search = found_trials("uniform_8", "07")
    search["trials"][0]["quantizers"] = {"rnn/bias": "oops(3)"}
    with pytest.raises(QuantizerError, match=r"^models/search\.json: rnn/bias: .*'oops'"):
        chosen_trial(search, "best", "models/search.json")


FRONT = ["03", "00", "04", "02", "07", "05"]  # from the cheapest to the dearest


def search_with_a_front() -> dict:
    """Trials 00 to 07: those of `FRONT` are on the front, 01 and 06 are not."""
    names = ["uniform_8", "uniform_16", *(f"{n:02d}" for n in range(8))]
    search = found_trials(*names)
    search["uniform"].append(search["trials"].pop(0))
    for row in [*search["trials"], *search["uniform"]]:
        row |= {"energy_nj": 0.5, "weight_bits": 300.0}
    for row in search["trials"]:
        row["on_front"] = row["trial"] in FRONT
        if row["on_front"]:
            row["energy_nj"] = 0.04 + 0.01 * FRONT.index(row["trial"])
    return search


def taken(points, uniform_bits=()):
    found = candidates(search_with_a_front(), points, uniform_bits, "SimpleRNN", ORIGIN)
    return [candidate.name for candidate in found]


@pytest.mark.parametrize(
    ("points", "places"),
    [(0, []), (1, [0]), (2, [0, 5]), (3, [0, 2, 5]), (4, [0, 2, 3, 5]), (9, [0, 1, 2, 3, 4, 5])],
)
def test_points_are_spread_over_the_front_from_the_cheapest_to_the_dearest(points, places):
    assert taken(points) == [f"trial_{FRONT[place]}" for place in places]


def test_trials_and_reference_points_can_be_named():
    assert taken([6, "00", "uniform_8", 6, "best"], [16, 8]) == [
        "trial_06", "trial_00", "uniform_8", "trial_07", "uniform_16",
    ]  # fmt: skip


def test_a_candidate_has_the_figures_of_the_search():
    one, other, point = candidates(search_with_a_front(), [3, 6], [8], "SimpleRNN", ORIGIN)
    assert [one.kind, other.kind, point.kind] == ["front", "trial", "uniform"]
    assert one.energy_pj == pytest.approx(40.0)
    assert one.weight_bits == 300
    assert one.trial == chosen_trial(search_with_a_front(), "03", ORIGIN)


@pytest.mark.parametrize(
    ("points", "bits", "message"),
    [
        ([99], [8], r"^survey\.points: 99: expected best or one of 00, .*search\.json"),
        (1, [8, 12], r"^survey\.uniform_bits: uniform_12: expected .*uniform_8, uniform_16"),
    ],
)
def test_what_is_not_there_names_the_parameter(points, bits, message):
    with pytest.raises(QuantizerError, match=message):
        taken(points, bits)


def test_a_trial_with_float_tensors_names_the_parameter_and_the_tensors():
    search = search_with_a_front()
    del search["trials"][2]["quantizers"]["dense/kernel"]
    with pytest.raises(QuantizerError, match=r"^survey\.points: 02: not an integer .*dense/kernel"):
        candidates(search, ["02"], [], "SimpleRNN", ORIGIN)


@pytest.mark.parametrize("broken", [{"trials": [{}], "uniform": []}, {"uniform": []}])
def test_a_file_without_a_front_is_refused(broken):
    with pytest.raises(QuantizerError, match=r"search\.json: not the result of a search"):
        candidates(broken, 3, [], "SimpleRNN", ORIGIN)


def test_a_missing_figure_is_named():
    search = search_with_a_front()
    del search["trials"][3]["weight_bits"]
    with pytest.raises(QuantizerError, match=r"search\.json: 03: .*weight_bits"):
        candidates(search, ["03"], [], "SimpleRNN", ORIGIN)
