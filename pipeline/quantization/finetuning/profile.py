"""What the chosen network consists of, tensor by tensor, and what it costs, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.artifacts.profile import LayerEnergy, NetworkProfile, TensorProfile
from pipeline.base.architecture import INPUT, Architecture
from pipeline.base.arrays import F32
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.energy.network import NetworkCost
from pipeline.quantization.energy.profile import profile_lines
from pipeline.quantizers.hardware import stored_type
from pipeline.quantizers.quantizer import Quantizer


def profile_network(
    trial: str,
    architecture: Architecture,
    quantizers: Mapping[str, Quantizer],
    weights: Mapping[str, F32],
    cost: NetworkCost,
    costs: CostModel,
) -> NetworkProfile:
    """Describe a network whose every tensor has a quantizer.

    Parameters
    ----------
    trial
        Its name in the search.
    architecture
        Its form, with the units of the trial.
    quantizers, weights
        By tensor; float32, on their quantizers' grids.
    cost
        Of the network.
    costs
        The energy model, of the float network.
    """
    return NetworkProfile(
        trial=trial,
        cell=architecture.cell,
        units=architecture.units,
        float_units=costs.architecture.units,
        window_length=architecture.window_length,
        reference=_energies(costs.reference_network),
        chosen=_energies(cost),
        tensors=[
            _tensor(architecture, name, quantizers[name], weights) for name in architecture.tensors
        ],
    )


def summary_lines(profile: NetworkProfile, cost: NetworkCost) -> list[str]:
    """Return what QKeras' ``print_qmodel_summary`` says, with shapes and ranges, and the energy."""
    lines = [f"finetune: trial {profile.trial}, {profile.cell} of {profile.units} units"]
    for row in profile.tensors:
        shape = "x".join(map(str, row.shape))
        span = f"{row.lowest:g} .. {row.highest:g}"
        lines.append(f"  {row.tensor:<26}{shape:<8}{row.bits:>3} bits  {span:<26}{row.quantizer}")
    return lines + profile_lines("finetune: energy of one inference, QTools' model", cost)


def _energies(cost: NetworkCost) -> list[LayerEnergy]:
    return [
        LayerEnergy(layer=layer.name, total=layer.total, **layer.parts) for layer in cost.layers
    ]


def _tensor(
    architecture: Architecture,
    name: str,
    quantizer: Quantizer,
    weights: Mapping[str, F32],
) -> TensorProfile:
    if name in weights:
        values = weights[name]
        shape, lowest, highest = values.shape, float(values.min()), float(values.max())
    else:
        stored = stored_type(architecture, name, quantizer, name)
        lowest, highest = stored.minimum * stored.step, stored.maximum * stored.step
        shape = _activation_shape(architecture, name)
    return TensorProfile(
        tensor=name,
        shape=list(shape),
        quantizer=quantizer.text,
        bits=quantizer.bits,
        lowest=lowest + 0.0,  # no -0
        highest=highest,
    )


def _activation_shape(architecture: Architecture, name: str) -> tuple[int, ...]:
    if name == INPUT:
        return (architecture.window_length, 1)
    return (1,) if name.startswith("dense/") else (architecture.units,)
