"""Stage `simulate`: write a sequence of samples, truth and optimal-filter results."""

from __future__ import annotations

from math import ceil

from tqdm import tqdm

from pipeline.base.errors import run_stage, say
from pipeline.detector.generator import generate
from pipeline.detector.sequences.sequence_file import write_sequences
from pipeline.params import load_params
from pipeline.params.detector import SIMULATED


def main() -> None:
    """Run the generator with the `simulate` section of ``params.yaml``."""
    params = load_params().simulate
    chunks = tqdm(
        generate(params),
        desc="simulate",
        total=ceil(params.n_bc / params.chunk_bc),
        unit="chunk",
        disable=None,  # quiet unless a terminal watches
    )
    write_sequences(SIMULATED, params.n_bc, chunks)
    say(f"simulate: {params.n_bc} BCs: {SIMULATED}")


if __name__ == "__main__":
    run_stage(main)
