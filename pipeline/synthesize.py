"""Stage ``synthesize``: integers to HLS projects whose C++ is compared with QKeras.

Reads models/integer.json, data/prepared.h5 (test split) and
data/quantized_test.npy (QKeras' own output); writes models/firmware/ (the project for
AMD), models/firmware_quartus/ and models/firmware_oneapi/ (for Intel),
data/firmware_test.npy (C++ simulation of the first, float32, scaled) and
metrics/firmware.json. The Quartus project is simulated as well; oneAPI's needs icpx and
is only written. A SimpleRNN must be equal on every window; an LSTM or a GRU, whose tables
are not exact, may differ by ``synthesize.max_gated_rms_mev``. Else nothing is written.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline.base.errors import run_stage
from pipeline.base.files import write_json
from pipeline.base.schema import read
from pipeline.firmware.hls.cpp_simulation import require_compiler
from pipeline.firmware.hls.gated_verification import GatedReference, check_gated, gated_metrics
from pipeline.firmware.hls.project import HlsOptions
from pipeline.firmware.hls.projects import write_and_check
from pipeline.firmware.hls.verification import (
    check_golden,
    check_simulation,
    firmware_metrics,
    vendor_tools,
)
from pipeline.integers.network import INTEGER_NETWORK, IntegerNetwork
from pipeline.params import load_params
from pipeline.samples.predictions import read_predictions, write_predictions
from pipeline.samples.prepared import read_prepared

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
        gate_table_size=params.gate_table_size,
    )
    require_compiler()
    network = read(IntegerNetwork, INTEGER_NETWORK)
    test = read_prepared(Path("data/prepared.h5")).test
    quantized = read_predictions(Path("data/quantized_test.npy"), test.n_windows)
    windows = test.windows(test.for_network(network).scaled_samples())

    intel = replace(options, part=params.intel_part)
    targets = {
        FIRMWARE: options,
        QUARTUS: replace(intel, backend="Quartus"),
        ONEAPI: replace(intel, backend="oneAPI"),
    }

    if network.exact:
        golden, against_qkeras = check_golden(network, windows, quantized, params.max_mismatch_mev)
        equal = partial(check_simulation, network, windows, golden)
        outputs, found = write_and_check(network, targets, equal, len(windows))
        metrics = firmware_metrics(network, [against_qkeras, *found])
    else:
        reference = GatedReference(windows, quantized, test.targets(test.scaled_truth()))
        check = partial(check_gated, network, reference, params.max_gated_rms_mev)
        outputs, gated = write_and_check(network, targets, check, len(windows))
        metrics = gated_metrics(network, reference, gated)
    write_predictions(Path("data/firmware_test.npy"), outputs)
    write_json(Path("metrics/firmware.json"), metrics)
    print(vendor_tools())


if __name__ == "__main__":
    run_stage(main)
