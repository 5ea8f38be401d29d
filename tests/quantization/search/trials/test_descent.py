"""What a descent tries next: single steps from the best networks, in the direction that helps."""

from __future__ import annotations

from pipeline.quantization.search.trials.descent import Tried, from_narrow_to_wide, next_steps

DECISIONS = {"units": [0.5, 0.75, 1.0], "state": [8, 9, 10]}


def price(values):
    return 100 * values["units"] ** 2 + values["state"]


def tried(units, state, score):
    values = {"units": units, "state": state}
    return Tried(values, score, price(values), good=score >= 1)


def steps(networks, closed=None, decisions=DECISIONS):
    shut = [network.values for network in networks] if closed is None else closed
    found = next_steps(networks, decisions, shut, price)
    return [(step["units"], step["state"]) for step in found]


def test_options_are_ordered_by_bits_and_size():
    kernels = ["quantized_bits(10,0,1)", "quantized_bits(4,0,1)", "binary(alpha='auto_po2')"]
    assert from_narrow_to_wide(kernels) == kernels[::-1]
    assert from_narrow_to_wide([1.0, 0.75, 2.0]) == [0.75, 1.0, 2.0]


def test_the_best_network_is_left_by_all_its_steps_the_smallest_first():
    networks = [tried(1.0, 10, 1.5), tried(0.75, 8, 0.9)]
    assert steps(networks) == [(1.0, 9), (0.75, 10)]


def test_what_was_tried_is_not_tried_again_and_what_is_open_is():
    networks = [tried(1.0, 10, 1.5), tried(1.0, 9, 0.9)]
    assert steps(networks) == [(0.75, 10)]
    assert steps(networks, closed=[networks[0].values]) == [(1.0, 9), (0.75, 10)]


def test_the_next_best_is_left_where_the_best_has_no_step_but_only_to_cheaper_ones():
    networks = [tried(0.5, 8, 1.9), tried(0.75, 8, 1.8), tried(0.5, 10, 1.7)]
    assert steps(networks) == []  # (0.5, 9) would cost more than the best
    networks = [tried(0.5, 9, 1.9), tried(0.5, 8, 0.9), tried(0.75, 8, 1.1)]
    assert steps(networks) == []
    networks = [tried(0.75, 8, 1.9), tried(0.5, 8, 0.9), tried(0.75, 9, 1.8)]
    assert steps(networks) == [(0.5, 9)]


def test_a_network_that_is_not_good_enough_is_left_by_wider_steps_cheaper_than_the_best():
    networks = [tried(0.75, 8, 1.9), tried(0.5, 8, 0.9)]
    assert steps(networks) == [(0.5, 9)]  # not narrower, and (0.75, 8) was tried
    networks = [tried(0.75, 9, 0.9), tried(0.5, 8, 0.8)]
    assert steps(networks) == [(0.75, 10), (1.0, 9)]
    assert steps([tried(1.0, 10, 0.9)]) == []


def test_an_option_that_costs_the_same_is_no_step():
    twice = {"units": [0.5, 0.75], "state": [8, 8.0]}
    assert steps([tried(0.5, 8, 0.9)], closed=[], decisions=twice) == [(0.75, 8)]


def test_the_networks_given_are_left_alone():
    network = tried(1.0, 10, 1.5)
    next_steps([network], DECISIONS, [], price)[0]["more"] = 1
    assert network.values == {"units": 1.0, "state": 10}
