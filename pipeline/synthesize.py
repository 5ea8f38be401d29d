"""Stage ``synthesize``: integers to an HLS project that is proved equal to QKeras.

Reads models/integer.json, data/prepared.h5 (test split) and
data/quantized_test.npy (QKeras' own output); writes models/firmware/ (the HLS
project), data/firmware_test.npy (its C++ simulation, float32, scaled) and
metrics/firmware.json. On a mismatch nothing is written.
"""

from __future__ import annotations

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
    with replacing_directory(FIRMWARE) as directory:
        write_project(network, options, directory)
        with tqdm(total=len(windows), desc="C++ simulation", unit="window", disable=None) as bar:
            outputs, against_golden = check_simulation(
                network, windows, golden, directory, options, bar.update
            )
    write_predictions(Path("data/firmware_test.npy"), outputs)
    write_json(
        Path("metrics/firmware.json"),
        firmware_metrics(accumulators(network), [against_qkeras, against_golden]),
    )
    print(vendor_tools())


if __name__ == "__main__":
    run_stage(main)
