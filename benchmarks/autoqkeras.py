"""Stock AutoQKeras, made to run on Keras 2.15, and the settings that it gets."""

from __future__ import annotations

import json
from typing import Any

from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.space import declared_bits

SETTINGS = ("equal", "stock")

GOAL: dict[str, Any] = {
    "type": "energy",
    "params": {
        "delta_p": 8.0,
        "delta_n": 8.0,
        "rate": 2.0,
        "stress": 1.0,
        "process": "horowitz",
        "parameters_on_memory": ["sram", "sram"],
        "activations_on_memory": ["sram", "sram"],
        "rd_wr_on_io": [False, False],
        "min_sram_size": [0, 0],
        "source_quantizers": None,
        "reference_internal": "int8",
        "reference_accumulator": "int32",
    },
}


def repair() -> None:
    """Let AutoQKeras rebuild models from Keras 2.15's JSON; once in a process."""
    import qkeras.utils

    import pipeline.quantizers.qkeras_compat  # noqa: F401

    original = qkeras.utils.quantized_model_from_json
    if getattr(original, "repaired", False):
        return

    def from_json(text: str, custom_objects: Any = None) -> Any:
        tree = json.loads(text)
        for layer in tree["config"]["layers"]:
            for key in ("module", "registered_name", "build_config"):
                layer.pop(key, None)
        return original(json.dumps(tree), custom_objects)

    from_json.repaired = True  # type: ignore[attr-defined]
    qkeras.utils.quantized_model_from_json = from_json


def settings_of(name: str, search: SearchParams) -> dict[str, Any]:
    """Return what the stock search is told about quantizers.

    Parameters
    ----------
    name
        ``stock``: the kinds of tensor that it knows, and nothing else, as in a notebook. Its
        activations are then `quantized_relu(4,0)`, whatever is chosen: `model_quantize`
        does not read the choice, and ``activation_bits`` is 4 unless said.
        ``equal``: what makes its networks comparable with this project's. The recurrent
        kernel draws from the kernel's list, so that is the list of both; activations have
        the most bits that this project gives them. The state stays float: it has no
        quantizer for that.
    search
        The ``search`` section.
    """
    known = {k: dict(v) for k, v in declared_bits(search).items() if k != "state"}
    if name == "stock":
        limit: dict[str, Any] = {"SimpleRNN": [8, 14, 8, 12], "Dense": [8, 14, 12]}
        return {"quantization_config": known, "limit": limit}
    widest = {kind: max(entries.values()) for kind, entries in known.items()}
    activation = _most(search, "SimpleRNN", 3, widest["activation"])
    dense = max(known["kernel"], key=lambda text: known["kernel"][text])
    recurrent = list(known["recurrent_kernel"])
    known["kernel"] |= known["recurrent_kernel"]
    limit = {
        "SimpleRNN": [recurrent, widest["bias"], recurrent, activation],
        "Dense": [[dense], widest["bias"], activation],
    }
    return {"quantization_config": known, "limit": limit, "activation_bits": activation}


def _most(search: SearchParams, layer: str, place: int, otherwise: int) -> int:
    """Return the bits that ``search.limit`` allows one kind of tensor of a layer."""
    entry = search.limit.get(layer)
    if isinstance(entry, list):
        entry = entry[place]
    return min(entry, otherwise) if isinstance(entry, int) else otherwise
