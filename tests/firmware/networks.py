"""Random integer networks for the firmware tests."""

from typing import Any

import numpy as np

from pipeline.integer_network import FixedPointType, IntegerNetwork


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
