"""Stage `prepare`: validate a sequence file, split it, describe it."""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_json
from pipeline.detector.sequences.scale import check_scale
from pipeline.detector.sequences.sequence_file import open_sequences
from pipeline.detector.sequences.summary import summarise
from pipeline.params import load_params
from pipeline.samples.prepared import PREPARED, Geometry, SplitStream, stream_prepared
from pipeline.samples.windows import split_bounds

METRICS = Path("metrics/data.json")


def main() -> None:
    """Turn the file named in ``params.yaml`` into three splits and ``metrics/data.json``."""
    params = load_params()
    settings = params.prepare
    with open_sequences(Path(params.data.file)) as source:
        bounds = split_bounds(
            source.n_bc,
            settings.window_length,
            settings.train_fraction,
            settings.validation_fraction,
        )
        check_scale(Path(params.data.file), source, settings.et_scale_gev)
        summary = summarise(source.chunks())
        streams = {
            name: SplitStream(stop - start, source.chunks(start, stop))
            for name, (start, stop) in bounds.bc_ranges(settings.window_length).items()
        }
        geometry = Geometry(settings.window_length, settings.target_lag, settings.et_scale_gev)
        stream_prepared(PREPARED, geometry, streams)
    windows = {name: split.n_windows for name, split in bounds.items()}
    write_json(METRICS, summary.metrics() | {"windows": windows})
    shown = ", ".join(f"{count} {name}" for name, count in windows.items())
    say(f"prepare: windows: {shown}, from {params.data.file}: {PREPARED}")


if __name__ == "__main__":
    run_stage(main)
