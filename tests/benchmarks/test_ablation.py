"""The ablation: every way of making an epoch makes it, and lines differ as they say."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from benchmarks import ablation
from benchmarks.ablation import VARIANTS, Variant
from tests.benchmarks.conftest import table

CHANGES = {  # of a line, against the line that it names
    "A, a callback in Python after each step": {"callbacks"},
    "A, unrolled in time": {"unroll"},
    "A, unrolled and XLA (jit_compile)": {"unroll", "xla"},
    "A, 512 steps per call (steps_per_execution)": {"steps"},
    "A, batch 1024": {"batch"},
    "B: A as one compiled loop of 512 steps": {"loop"},
    "C: B, windows cut on the device": {"loop"},
    "D: C, unrolled in time": {"unroll"},
    "C, XLA, not unrolled": {"xla"},
    "E: D, XLA": {"xla"},
    "F: E, op determinism": {"deterministic"},
    "G: F, products on one thread (the pipeline)": {"pool"},
    "G, the recipe's callbacks after each epoch": {"callbacks"},
    "G, batch 256": {"batch"},
    "G, batch 1024": {"batch"},
    "G, batch 8192": {"batch"},
}


@pytest.mark.parametrize("title", list(VARIANTS)[1:])
def test_a_line_changes_what_it_says(title):
    base = title.partition(": ")[2] or title
    letter = base.partition(",")[0].partition(" ")[0]
    named = next(variant for name, variant in VARIANTS.items() if name.startswith(f"{letter}: "))
    changed = dict(asdict(VARIANTS[title]).items() - asdict(named).items())
    assert set(changed) == CHANGES[title]


@pytest.mark.slow
def test_every_loop_trains(workplace, monkeypatch, capsys):
    variants = {
        "A: by Keras": Variant("fit", callbacks="step"),
        "B: by the host": Variant("host", callbacks="none"),
        "C: on the device": Variant("device", callbacks="epoch"),
    }
    monkeypatch.setattr(ablation, "VARIANTS", variants)
    ablation.main(["--windows", "700", "--epochs", "2", "--repeats", "1"])
    rows = table(capsys.readouterr().out)
    assert rows["A: by Keras"][1] == "1 [1, 1]"
    for title in variants:
        epoch, _, first, rmse, peak = rows[title]
        assert float(epoch.split()[0]) < float(first.split()[0])
        assert 0 < float(rmse.split()[0]) < 1000
        assert float(peak.split()[0]) > 100


def test_only_some_variants_run(workplace, monkeypatch, capsys):
    monkeypatch.setattr(ablation, "contender", lambda *_: {
        "epoch_s": 2.0, "first_epoch_s": 3.0, "rmse_mev": 50.0, "peak_mb": 500.0,
    })  # fmt: skip
    ablation.main(["--only", "A:", "G, batch", "--repeats", "1"])
    assert list(table(capsys.readouterr().out)) == [
        "variant", "---", "A: Keras fit, as in the notebook",
        "G, batch 256", "G, batch 1024", "G, batch 8192",
    ]  # fmt: skip
