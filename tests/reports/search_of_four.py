"""A search of three trials and one network with the same bits everywhere, made up."""

from typing import Any

from pipeline.artifacts.search import SearchResult

_TRIAL: dict[str, Any] = {
    "quantizers": {
        "input": "quantized_bits(11,0,0,alpha=1)",
        "rnn/kernel": "binary(alpha='auto_po2')",
        "rnn/state": "quantized_relu(9,0)",
    },
    "seed": 1,
    "epochs": 80,
    "quality": 0.99,
    "delta": 0.1,
    "cost": 50.0,
    "learning_rate": 0.001,
    "dead": False,
    "continues": None,
    "units": 7,
}
FRONT = """| trial | energy_pj | validation_rmse_mev | score | units | weight_bits | input_bits | \
rnn_kernel_bits | rnn_state_bits |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
| 02 | 40.50 | 52.00 | 1.02 | 6 | 332 | 11 | 1 | 9 |
| 01 | 57.69 | 48.59 | 1.25 | 7 | 469 | 11 | 1 | 9 |
"""


def _trial(name: str, energy_nj: float, rmse_mev: float, **more: Any) -> dict[str, Any]:
    figures = {"trial": name, "energy_nj": energy_nj, "validation_rmse_mev": rmse_mev}
    return _TRIAL | figures | {"score": 1.25, "weight_bits": 469.0} | more


def search() -> SearchResult:
    trials = [
        _trial("00", 0.06, 400.0, on_front=False),
        _trial("01", 0.05769, 48.586, on_front=True),
        _trial("02", 0.0405, 52.0, on_front=True, units=6, weight_bits=332.0, score=1.016),
    ]
    return SearchResult.model_validate(
        {
            "best": "01",
            "quantizers": _TRIAL["quantizers"],
            "units": 7,
            "limit_met": True,
            "reference": {"validation_rmse_mev": 48.4, "cost": 250.0, "goal": "energy"},
            "trials": trials,
            "uniform": [_trial("uniform_8", 0.09, 48.5)],
            "failures": {},
            "float_rmse_mev": 48.4,
            "ofmax_rmse_mev": 58.3,
        }
    )
