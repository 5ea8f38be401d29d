"""The energy of a network by layer and part, as lines to read."""

from __future__ import annotations

from pipeline.quantization.energy.network import NetworkCost

PARTS = ("inputs", "parameters", "op_cost", "outputs")


def profile_lines(title: str, cost: NetworkCost) -> list[str]:
    """Return a small table: each layer's parts in pJ, what is counted, and its share."""
    total = cost.total
    head = "".join(f"{part:>12}" for part in (*PARTS, "counted", "share"))
    lines = [f"{title}: {total:.2f} pJ", f"  {'layer':<8}{head}"]
    for layer in cost.layers:
        values = (*(layer.parts[part] for part in PARTS), layer.total)
        share = f"{100 * layer.total / total:.1f} %" if total else "-"
        row = "".join(f"{value:12.2f}" for value in values)
        lines.append(f"  {layer.name:<8}{row}{share:>12}")
    return lines
