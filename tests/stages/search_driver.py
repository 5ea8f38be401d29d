"""Runs the search stage as a process of its own and notes which trials were trained.

``trained.log`` gets a line ``<process> <trial>`` for each; ``die.txt``, if there,
names the process that ends itself, once, when it is about to train.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pipeline import search
from pipeline.base.errors import run_stage
from pipeline.quantization.search import run as search_run
from pipeline.quantization.training.trainer import QatTrainer

ME = os.environ.get("KERASTUNER_TUNER_ID", "alone")
original = QatTrainer.fit


def fit(self, quantizers, initial_weights, settings, description, checkpoint=None):
    order = Path("die.txt")
    if order.exists() and order.read_text() == ME:
        order.unlink()
        os._exit(9)
    result = original(self, quantizers, initial_weights, settings, description, checkpoint)
    with Path("trained.log").open("a") as log:
        log.write(f"{ME} {description}\n")
    return result


if __name__ == "__main__":
    search_run.WORKER_COMMAND = (sys.executable, "-W", "ignore", __file__)
    QatTrainer.fit = fit
    run_stage(search.main)
