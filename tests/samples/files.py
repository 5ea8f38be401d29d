"""Prepared files for the tests of stages."""

from pathlib import Path

from pipeline.samples.prepared import (
    SEQUENCES,
    SPLITS,
    Geometry,
    Prepared,
    SplitStream,
    stream_prepared,
)


def write_prepared(path: Path, prepared: Prepared) -> None:
    """Write what `read_prepared` reads, from sequences in memory."""
    first = prepared.train
    geometry = Geometry(first.window_length, first.target_lag, first.et_scale_gev)
    splits = {name: getattr(prepared, name) for name in SPLITS}
    stream_prepared(
        path,
        geometry,
        {
            name: SplitStream(split.n_bc, [[getattr(split, field) for field in SEQUENCES]])
            for name, split in splits.items()
        },
    )
