"""Stage ``synthesize``: integers to HLS projects that are proved equal to QKeras.

Reads models/integer.json, data/prepared.h5 (test split) and
data/quantized_test.npy (QKeras' own output); writes models/firmware/ (the project for
AMD), models/firmware_quartus/ and models/firmware_oneapi/ (for Intel),
data/firmware_test.npy (C++ simulation of the first, float32, scaled) and
metrics/firmware.json. The Quartus project is simulated as well; oneAPI's needs icpx and
is only written. On a mismatch nothing is written.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from pipeline.artifacts import read_prepared, write_json
from pipeline.detector.windows import windows as windows_of
from pipeline.errors import run_stage
from pipeline.firmware.cpp_simulation import require_compiler
from pipeline.firmware.golden import accumulators
from pipeline.firmware.hls_project import HlsOptions, replacing_directory, write_project
from pipeline.firmware.verification import (
    check_golden,
    check_simulation,
    firmware_metrics,
    scaled_samples,
    vendor_tools,
)
from pipeline.integer_network import read_integer_network
from pipeline.params import load_params
from pipeline.predictions import read_predictions, write_predictions

FIRMWARE = Path("models/firmware")
QUARTUS, ONEAPI = Path("models/firmware_quartus"), Path("models/firmware_oneapi")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params().synthesize
    options = HlsOptions(
        backend=params.backend,
        part=params.part,
        clock_period_ns=params.clock_period_ns,
        project_name=params.project_name,
        clock_uncertainty_percent=params.clock_uncertainty_percent,
    )
    require_compiler()
    network = read_integer_network(Path("models/integer.json"))
    test = read_prepared(Path("data/prepared.h5")).test
    quantized = read_predictions(Path("data/quantized_test.npy"), test.n_windows)
    windows = windows_of(scaled_samples(network, test), network.window_length)

    golden, against_qkeras = check_golden(network, windows, quantized, params.max_mismatch_mev)
    comparisons = [against_qkeras]
    outputs = golden
    intel = replace(options, part=params.intel_part)
    with ExitStack() as stack:
        for path, target in (
            (FIRMWARE, options),
            (QUARTUS, replace(intel, backend="Quartus")),
            (ONEAPI, replace(intel, backend="oneAPI")),
        ):
            directory = stack.enter_context(replacing_directory(path))
            write_project(network, target, directory)
            if path == ONEAPI:
                continue
            with tqdm(total=len(windows), desc=target.backend, unit="window", disable=None) as bar:
                outputs, found = check_simulation(
                    network, windows, golden, directory, target, bar.update
                )
            comparisons.append(found)
    write_predictions(Path("data/firmware_test.npy"), outputs)
    write_json(
        Path("metrics/firmware.json"),
        firmware_metrics(accumulators(network), comparisons),
    )
    print(vendor_tools())


if __name__ == "__main__":
    run_stage(main)
