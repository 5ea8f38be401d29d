"""What a search says on stderr: its plan, one line for each trial, and what was chosen.

Lines are the same in a log and on a terminal, where progress bars stay below them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.artifacts.search import SEARCH, Baseline, Trial
from pipeline.base.architecture import INPUT
from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.blocks import Block
from pipeline.quantization.search.plan.plan import planned_trials, too_many_trials
from pipeline.quantizers.quantizer import parse_quantizer


def start_lines(params: SearchParams, blocks: Sequence[Block], baseline: Baseline) -> list[str]:
    """Return what a search starts with: its space, its trials, what they are compared with."""
    lines = []
    for number, block in enumerate(blocks, 1):
        name = f"search ({params.mode})" if len(blocks) == 1 else f"block {number} ({params.mode})"
        lines.append(
            f"{name}: {block.pattern}: {block.combinations} combinations, "
            f"at most {planned_trials(params, block)} trials"
        )
        lines += too_many_trials(block, params)
    if params.uniform_bits:
        lines.append(f"uniform networks: {', '.join(map(str, params.uniform_bits))} bits")
    return [
        *lines,
        f"float network: {baseline.validation_rmse_mev:.2f} MeV on validation; "
        f"reference cost: {cost_text(baseline.cost, baseline)}",
    ]


def trial_line(record: Trial, baseline: Baseline, best: Trial | None, seconds: float | None) -> str:
    """Return one line on a trial.

    Parameters
    ----------
    record, baseline
        The trial, and what it is compared with.
    best
        The best trial so far, this one included; None for networks that do not compete.
    seconds
        How long it was trained; None if that is not known.
    """
    name = f"trial {record.trial}" if best else record.trial
    parts = [
        f"{record.units} units",
        f"bits: {_bits(record)}",
        f"{record.epochs} epochs"
        + (f" (goes on from {record.continues})" if record.continues else ""),
        f"{record.validation_rmse_mev:.2f} MeV, {_ratio(record, baseline)} of float",
        cost_text(record.cost, baseline),
        f"score {record.score:.4f}",
    ]
    if len(record.starts_rmse_mev) > 1:
        count = len(record.starts_rmse_mev)
        parts.insert(
            4, f"the best of {count} starts, better half {record.typical_rmse_mev:.2f} MeV"
        )
    if best is not None:
        parts.append(f"best so far {best.score:.4f} (trial {best.trial})")
    if record.dead:
        parts.append("dead: its output is constant")
    if record.restarts:
        parts.append(f"new seeds: {record.restarts}")
    if seconds is not None:
        parts.append(f"{seconds:.0f} s")
    return f"{name}: {'; '.join(parts)}"


def end_lines(best: Trial, baseline: Baseline, completed: int) -> list[str]:
    """Return what was chosen, its figures, and where it is."""
    saved = 100 * (1 - best.cost / baseline.cost)
    return [
        f"chosen of {completed} trials: trial {best.trial}: {best.units} units; "
        f"{best.validation_rmse_mev:.2f} MeV, {_ratio(best, baseline)} of float; "
        f"{cost_text(best.cost, baseline)}; {best.weight_bits:.0f} bits of weights; "
        f"score {best.score:.4f}",
        *(f"  {tensor}: {text}" for tensor, text in best.quantizers.items()),
        f"total cost reduction: {saved:.1f} % against the reference "
        f"({cost_text(baseline.cost, baseline)})",
        f"written: {SEARCH} (quantizers, all trials), models/search.weights.h5, "
        "metrics/search.json",
    ]


def cost_text(cost: float, baseline: Baseline) -> str:
    """Return a cost with the unit of the goal."""
    return f"{cost:.2f} pJ" if baseline.goal == "energy" else f"{cost:.0f} bits"


def _ratio(record: Trial, baseline: Baseline) -> str:
    return f"{record.validation_rmse_mev / baseline.validation_rmse_mev:.4f}"


def _bits(record: Trial) -> str:
    return ", ".join(
        f"{tensor} {parse_quantizer(text, tensor).bits:g}"
        for tensor, text in record.quantizers.items()
        if tensor != INPUT
    )
