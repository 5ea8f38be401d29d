"""Energy settings shared by the tests of the energy model."""

from typing import Any

from pipeline.params.energy import EnergyParams

DEFAULTS: dict[str, Any] = {
    "process": "horowitz",
    "parameters_on_memory": ["sram", "sram"],
    "activations_on_memory": ["sram", "sram"],
    "min_sram_size_bits": [0, 0],
    "rd_wr_on_io": [False, False],
    "reference_internal": "int8",
    "reference_accumulator": "int32",
    "source_quantizer": None,
}


def settings(**changes: Any) -> EnergyParams:
    """Return the default settings with changes."""
    return EnergyParams.model_validate(DEFAULTS | changes)
