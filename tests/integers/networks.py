"""Random integer networks for the firmware tests."""

from typing import Any

import numpy as np

from pipeline.base.fixed_point_type import FixedPointType
from pipeline.integers.fixed_point import dequantize, quantize
from pipeline.integers.layers import GATES, IntegerTensor
from pipeline.integers.network import IntegerNetwork


def fixed(bits: int, integer_bits: int, signed: bool = True, **modes: Any) -> dict[str, Any]:
    """A type by its integer bits (sign included), as in ``ap_fixed<bits, integer>``."""
    return FixedPointType(
        signed=signed, bits=bits, fraction_bits=bits - integer_bits, **modes
    ).model_dump()


def tensor(integers: Any, of: dict[str, Any]) -> dict[str, Any]:
    return {"type": of, "integers": np.asarray(integers).tolist(), "quantizer": "test"}


def random_tensor(
    rng: np.random.Generator, shape: tuple[int, ...], of: dict[str, Any], std: float
) -> dict[str, Any]:
    scaled = np.round(rng.normal(0, std, shape) * 2.0 ** of["fraction_bits"]).astype(np.int64)
    limit = 1 << (of["bits"] - 1)
    return tensor(np.clip(scaled, -limit, limit - 1), of)


def random_network(
    seed: int = 0,
    units: int = 8,
    length: int = 5,
    weight: dict[str, Any] | None = None,
    recurrent: dict[str, Any] | None = None,
    bias: dict[str, Any] | None = None,
    sample: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    activation: dict[str, Any] | None = None,
    output: dict[str, Any] | None = None,
    hidden_dense: int = 0,
    unit_bits: list[int] | None = None,
) -> IntegerNetwork:
    """A network whose outputs are mostly neither 0 nor saturated."""
    rng = np.random.default_rng(seed)
    weight = weight or fixed(8, 1)
    recurrent, bias = recurrent or weight, bias or weight
    activation = activation or fixed(8, 2, signed=False)
    output = output or activation
    layers: list[dict[str, Any]] = [
        {
            "kind": "simple_rnn",
            "name": "rnn",
            "kernel": random_tensor(rng, (1, units), weight, 0.6),
            "recurrent_kernel": random_tensor(rng, (units, units), recurrent, 0.35),
            "bias": random_tensor(rng, (units,), bias, 0.1),
            "state": state or activation,
            "activation": activation,
            "unit_bits": unit_bits,
        }
    ]
    features = units
    for index, width in enumerate([hidden_dense, 1] if hidden_dense else [1]):
        kernel = random_tensor(rng, (features, width), weight, 0.5)
        if output["signed"] is False:
            kernel = tensor(np.abs(kernel["integers"]), {**weight, "bits": weight["bits"] + 1})
        layers.append(
            {
                "kind": "dense",
                "name": f"dense{index}",
                "kernel": kernel,
                "bias": random_tensor(rng, (width,), bias, 0.1),
                "activation": output if width == 1 else activation,
            }
        )
        features = width
    return IntegerNetwork.model_validate(
        {
            "window_length": length,
            "et_scale_gev": 16.0,
            "input": sample or fixed(12, 4),
            "layers": layers,
        }
    )


def powers(bits: int, integer_bits: int, signed: bool = True) -> dict[str, Any]:
    """A type of powers of two, by its integer bits as `fixed`."""
    return fixed(bits, integer_bits, signed, rounding="PO2")


def power_network(seed: int = 0, apart: int = 23, **types: Any) -> IntegerNetwork:
    """A random network whose weights are powers of two, the ends ``2**apart`` apart."""
    rng = np.random.default_rng(seed)
    tree = random_network(seed, 4, 4, **types).model_dump()
    for layer in tree["layers"]:
        for name in ("kernel", "recurrent_kernel"):
            if name in layer:
                shape = np.shape(layer[name]["integers"])
                # Mostly near 1, so that a result is neither 0 nor saturated.
                power = np.where(rng.random(shape) < 0.5, apart - rng.integers(1, 4, shape), 0)
                power += (power == 0) * rng.integers(0, apart, shape)
                power.flat[0], power.flat[-1] = (apart, 0) if power.size > 1 else (apart, apart)
                values = (1 << power) * rng.choice([-1, 1], shape)
                layer[name] = tensor(values, fixed(apart + 2, 2))
    return IntegerNetwork.model_validate(tree)


def random_windows(network: IntegerNetwork, n: int, seed: int = 1) -> np.ndarray:
    """float32 windows: normal, tiny, beyond the input's range, and exact ties."""
    rng = np.random.default_rng(seed)
    of = network.input
    windows = rng.normal(0, 1, (n, network.window_length))
    windows[::7] *= 0.01
    windows[3::11] *= 100
    ties = (rng.integers(of.minimum, of.maximum, windows[5::3].shape) + 0.5) * of.step
    windows[5::3] = ties
    return windows.astype(np.float32)


def random_gated_network(
    kind: str, seed: int = 0, units: int = 3, length: int = 4, state_bits: int = 14
) -> IntegerNetwork:
    """An LSTM or GRU whose outputs are mostly neither 0 nor saturated."""
    rng = np.random.default_rng(seed)
    weight = fixed(8, 1)
    width = GATES[kind] * units
    dense = random_tensor(rng, (units, 1), weight, 0.5)
    return IntegerNetwork.model_validate(
        {
            "window_length": length,
            "et_scale_gev": 16.0,
            "input": fixed(12, 1),
            "layers": [
                {
                    "kind": kind,
                    "name": "rnn",
                    "kernel": random_tensor(rng, (1, width), weight, 0.6),
                    "recurrent_kernel": random_tensor(rng, (units, width), fixed(6, 1), 0.35),
                    "bias": random_tensor(
                        rng, (2, width) if kind == "gru" else (width,), fixed(10, 1), 0.2
                    ),
                    "state": fixed(state_bits, 2),
                    "tanh": fixed(13, 1),
                    "sigmoid": fixed(12, 0, signed=False),
                },
                {
                    "kind": "dense",
                    "name": "dense0",
                    "kernel": dense,
                    "bias": random_tensor(rng, (1,), weight, 0.1),
                    "activation": fixed(14, 2),
                },
            ],
        }
    )


def real(of: IntegerTensor) -> np.ndarray:
    return np.ldexp(of.array.astype(np.float64), -of.type.fraction_bits)


def rounded(values: np.ndarray, of: FixedPointType) -> np.ndarray:
    return dequantize(quantize(values, of), of)


def gated_reference(
    network: IntegerNetwork, windows: np.ndarray, round_memory_first: bool = True
) -> np.ndarray:
    """What the templates would give with tables of infinitely many entries, float64 (n,).

    `round_memory_first`: as AMD's LSTM, tanh of the rounded c; else as QKeras and Intel's.
    """
    rnn, samples = network.gated, rounded(windows, network.input)
    kernel, recurrent, bias = (real(t) for t in (rnn.kernel, rnn.recurrent_kernel, rnn.bias))
    h = c = np.zeros((len(windows), rnn.units))

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return rounded(1 / (1 + np.exp(-x)), rnn.sigmoid)

    for step in range(network.window_length):
        forward, inner = samples[:, step : step + 1] @ kernel, h @ recurrent
        if rnn.kind == "gru":
            z, r, _ = np.split(forward + bias[0] + inner + bias[1], 3, axis=1)
            last = slice(2 * rnn.units, None)
            candidate = (forward + bias[0])[:, last] + sigmoid(r) * (inner + bias[1])[:, last]
            h = sigmoid(z) * h + (1 - sigmoid(z)) * rounded(np.tanh(candidate), rnn.tanh)
        else:
            i, f, g, o = np.split(forward + inner + bias, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * rounded(np.tanh(g), rnn.tanh)
            active = rounded(c, rnn.state) if round_memory_first else c
            h = sigmoid(o) * rounded(np.tanh(active), rnn.tanh)
            c = rounded(c, rnn.state)
        h = rounded(h, rnn.state)
    for layer in network.dense:
        h = rounded(h @ real(layer.kernel) + real(layer.bias), layer.activation)
    return h[:, 0]
