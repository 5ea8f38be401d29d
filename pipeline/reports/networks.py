"""The chosen network beside the float one: energy by layer, and every tensor."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.artifacts.profile import LayerEnergy, NetworkProfile
from pipeline.base.architecture import Architecture
from pipeline.presentation.markdown import table

_PARTS = ("inputs", "parameters", "op_cost", "outputs", "total")


def networks_markdown(profile: NetworkProfile) -> str:
    """Return ``metrics/networks.md``."""
    cell, length = profile.cell, profile.window_length
    float_lines = Architecture(cell, profile.float_units, length).summary_lines("Float network")
    chosen_lines = Architecture(cell, profile.units, length).summary_lines("Chosen network")
    lines = [
        "# The float network and the chosen one",
        "",
        "## Energy of one inference by layer and part",
        "",
        "In pJ, QTools' model: the float network as the reference, and the chosen network (trial "
        f"{profile.trial}). The total counts inputs, parameters and op_cost.",
        "",
        *_energy_table(profile),
        "",
        "## Layers",
        "",
        "```",
        *float_lines,
        *chosen_lines,
        "```",
        "",
        "## Tensors of the chosen network",
        "",
        "Lowest and highest: of weights the values that there are, of all else those that its type "
        "holds; in units of `prepare.et_scale_gev`.",
        "",
        *_tensor_table(profile),
    ]
    return "\n".join(lines) + "\n"


def _energy_table(profile: NetworkProfile) -> list[str]:
    head = ["layer", "network", *_PARTS, "share"]
    rows: list[list[object]] = []
    sums = {name: _sum(layers) for name, layers in _networks(profile)}
    for index in range(len(profile.reference)):
        for name, layers in _networks(profile):
            rows.append(_row(name, layers[index], sums[name].total))
    rows += [_row(name, row, row.total) for name, row in sums.items()]
    return table(head, rows, "ll" + "r" * (len(head) - 2))


def _row(network: str, energy: LayerEnergy, total: float) -> list[object]:
    parts = [f"{getattr(energy, part):.2f}" for part in _PARTS]
    share = f"{100 * energy.total / total:.1f} %" if total else "-"
    return [energy.layer, network, *parts, share]


def _sum(layers: Sequence[LayerEnergy]) -> LayerEnergy:
    parts = {part: sum(getattr(layer, part) for layer in layers) for part in _PARTS}
    return LayerEnergy(layer="all", **parts)


def _networks(profile: NetworkProfile) -> list[tuple[str, Sequence[LayerEnergy]]]:
    return [("reference", profile.reference), ("chosen", profile.chosen)]


def _tensor_table(profile: NetworkProfile) -> list[str]:
    head = ["tensor", "shape", "bits", "lowest", "highest", "quantizer"]
    rows = [
        [
            row.tensor,
            " x ".join(map(str, row.shape)),
            row.bits,
            f"{row.lowest:g}",
            f"{row.highest:g}",
            f"`{row.quantizer}`",
        ]
        for row in profile.tensors
    ]
    return table(head, rows, "llrrrl")
