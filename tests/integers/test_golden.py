"""The golden model against a slow evaluator on exact fractions."""

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.integers import network as integer_network
from pipeline.integers.accumulators import AccumulatorError, widest_by_layer
from pipeline.integers.golden import GoldenError, evaluate, evaluate_integers, evaluate_tensors
from pipeline.integers.network import IntegerNetwork
from tests.integers.definition import reference
from tests.integers.networks import fixed, random_network, random_windows

NETWORKS = {
    "8 bits": random_network(),
    "4 bits": random_network(
        1, weight=fixed(4, 1), activation=fixed(4, 2, signed=False), sample=fixed(6, 3)
    ),
    "12 bits": random_network(2, weight=fixed(12, 1), activation=fixed(12, 2, signed=False)),
    "large fraction": random_network(3, weight=fixed(10, -8 + 10), recurrent=fixed(24, 1)),
    "signed output": random_network(4, output=fixed(10, 3)),
    "own state": random_network(5, state=fixed(5, 2), activation=fixed(9, 2, signed=False)),
    "TRN and WRAP": random_network(
        6, activation=fixed(8, 1, signed=False, rounding="TRN", overflow="WRAP")
    ),
    "RND": random_network(7, activation=fixed(8, 2, signed=False, rounding="RND")),
    "bits of each unit": random_network(
        10,
        activation=fixed(8, 2, signed=False, rounding="RND"),
        unit_bits=[8, 8, 7, 6, 6, 5, 2, 1],
    ),
    "two dense": random_network(8, hidden_dense=4),
    "one step": random_network(9, length=1),
}


def slow(network: IntegerNetwork, window: np.ndarray) -> Fraction:
    def value(integer: int, of) -> Fraction:
        return integer * Fraction(2) ** -of.fraction_bits

    def rounded(x: Fraction, of) -> Fraction:
        return value(reference(x, of), of)

    def weights(t) -> np.ndarray:
        return np.vectorize(lambda i: value(int(i), t.type), otypes=[object])(t.array)

    rnn = network.rnn
    bits = rnn.unit_bits or [rnn.activation.bits] * rnn.units
    types = [rnn.activation.model_copy(update={"bits": b}) for b in bits]
    state = np.array([Fraction(0)] * len(rnn.bias.integers))
    for x in window:
        sample = rounded(Fraction(float(x)), network.input)
        total = sample * weights(rnn.kernel)[0] + state @ weights(rnn.recurrent_kernel)
        hidden = [rounded(z, of) for z, of in zip(total + weights(rnn.bias), types, strict=True)]
        state = np.array([rounded(h, rnn.state) for h in hidden])
    values = np.array(hidden)
    for layer in network.dense:
        total = values @ weights(layer.kernel) + weights(layer.bias)
        values = np.array([rounded(z, layer.activation) for z in total])
    return values[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_equals_the_slow_evaluator(name):
    network = NETWORKS[name]
    windows = random_windows(network, 60)
    found = evaluate(network, windows)
    assert [Fraction(y) for y in found] == [slow(network, w) for w in windows]
    assert len(set(found.tolist())) > 5


@pytest.mark.parametrize("name", NETWORKS)
def test_every_sum_stays_inside_its_accumulator(name):
    network = NETWORKS[name]
    tensors = evaluate_tensors(network, random_windows(network, 500))
    for accumulator in network.accumulators:
        values = tensors[f"{accumulator.name}.sum"].real
        step = 2.0**-accumulator.fraction_bits
        assert values.min() >= accumulator.minimum * step
        assert values.max() <= accumulator.maximum * step
        assert np.all(values / step == np.round(values / step)), "fraction bits are missing"
        assert accumulator.minimum >= -(2 ** (accumulator.bits - 1))
        assert accumulator.maximum < 2 ** (accumulator.bits - 1)


def test_accumulator_of_a_hand_computed_layer():
    """x in -8..7 (1/2), k = 3, -4 (1/4); bias = 1 (1/2), 0: sums in 1/8."""
    network = IntegerNetwork.model_validate(
        {
            "window_length": 1,
            "et_scale_gev": 16.0,
            "input": fixed(4, 3),
            "layers": [
                {
                    "kind": "simple_rnn",
                    "name": "rnn",
                    "kernel": {"type": fixed(4, 2), "integers": [[3, -4]], "quantizer": ""},
                    "recurrent_kernel": {
                        "type": fixed(2, 2),
                        "integers": [[1, 1], [1, 1]],
                        "quantizer": "",
                    },
                    "bias": {"type": fixed(3, 2), "integers": [1, 0], "quantizer": ""},
                    "state": fixed(4, 2, signed=False),
                    "activation": fixed(4, 2, signed=False),
                },
                {
                    "kind": "dense",
                    "name": "out",
                    "kernel": {"type": fixed(3, 3), "integers": [[2], [2]], "quantizer": ""},
                    "bias": {"type": fixed(3, 2), "integers": [0], "quantizer": ""},
                    "activation": fixed(6, 4, signed=False),
                },
            ],
        }
    )
    rnn, out = network.accumulators
    # Unit 0: -24..21 and 4; unit 1: -28..32; together -28..32 in eighths.
    assert (rnn.minimum, rnn.maximum, rnn.bits, rnn.fraction_bits) == (-28, 32, 7, 3)
    # Activations reach 15/4 (of 25/8 = 12.5/4 -> 12) and 15/4: 2 * (12 + 15) quarters, all even.
    assert (out.minimum, out.maximum, out.fraction_bits) == (0, 12 + 15, 1)
    assert rnn.float32_exact
    assert out.float32_exact
    assert widest_by_layer([rnn, out]) == {"rnn": 7, "out": out.bits}


def test_float32_exactness_is_decided_by_the_width():
    assert NETWORKS["8 bits"].float32_exact
    assert not NETWORKS["large fraction"].float32_exact


def test_settled_intervals_are_repeated_for_long_windows():
    found = random_network(length=40).accumulators
    assert [a.name for a in found][-2:] == ["rnn.step39", "dense0"]
    assert len(found) == 41


def test_a_sum_that_may_leave_int64_is_refused():
    network = random_network(weight=fixed(40, 1), activation=fixed(40, 2, signed=False))
    with pytest.raises(AccumulatorError, match=r"rnn\.step1.*bits"):
        evaluate(network, random_windows(network, 2))


def test_sums_are_proved_once_for_each_network(monkeypatch):
    prove_sums, proofs = integer_network.prove_sums, []
    monkeypatch.setattr(
        integer_network, "prove_sums", lambda *parts: proofs.append(parts) or prove_sums(*parts)
    )
    network = random_network()
    for _ in range(3):
        evaluate(network, random_windows(network, 2))
        evaluate_tensors(network, random_windows(network, 1))
    assert len(proofs) == 1


def test_a_changed_copy_is_proved_anew():
    network = random_network()
    before = network.accumulators
    kernel = network.rnn.kernel
    assert kernel.array is kernel.array
    with pytest.raises(ValueError, match="read-only"):
        kernel.array[0, 0] = 0
    twice = kernel.model_copy(update={"integers": (2 * kernel.array).tolist()})
    assert np.array_equal(twice.array, 2 * kernel.array)
    wider = network.input.model_copy(update={"bits": network.input.bits + 3})
    copy = network.model_copy(update={"input": wider})
    assert copy.accumulators != before
    assert network.model_copy().accumulators == before


def test_integer_and_real_inputs_agree_and_chunks_do_not_matter():
    network = NETWORKS["8 bits"]
    integers = np.random.default_rng(3).integers(
        network.input.minimum, network.input.maximum + 1, (1000, 5)
    )
    real = (integers * network.input.step).astype(np.float32)
    step = network.dense[-1].activation.step
    expected = evaluate(network, real)
    assert np.array_equal(evaluate_integers(network, integers) * step, expected)
    assert np.array_equal(evaluate(network, real, chunk_windows=7), expected)
    assert evaluate(network, real[:0]).shape == (0,)


def test_inputs_are_checked():
    network = NETWORKS["8 bits"]
    with pytest.raises(GoldenError, match=r"\(n, 5\), found \(3, 4\)"):
        evaluate(network, np.zeros((3, 4), np.float32))
    with pytest.raises(GoldenError, match="leave the input type"):
        evaluate_integers(network, np.full((1, 5), 1 << 20))


def test_a_million_windows_take_seconds():
    network = NETWORKS["8 bits"]
    samples = np.random.default_rng(0).normal(0, 1, 200_004).astype(np.float32)
    start = time.process_time()
    found = evaluate(network, sliding_window_view(samples, 5))
    assert time.process_time() - start < 10
    assert found.shape == (200_000,)


def test_every_tensor_is_named_in_order():
    network = NETWORKS["own state"]
    tensors = evaluate_tensors(network, random_windows(network, 3))
    assert list(tensors)[:4] == [
        "input",
        "rnn.step0.sum",
        "rnn.step0.activation",
        "rnn.step0.state",
    ]
    assert list(tensors)[-2:] == ["dense0.sum", "dense0.activation"]
    assert math.prod(tensors["rnn.step4.activation"].integers.shape) == 24
    assert "rnn.step4.state" not in tensors
