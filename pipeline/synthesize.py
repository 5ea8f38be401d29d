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

import shutil
from functools import partial
from pathlib import Path

from pipeline.base.errors import run_stage, say
from pipeline.base.files import write_json
from pipeline.base.schema import read
from pipeline.firmware.hls.cpp_simulation import require_compiler
from pipeline.firmware.hls.gated_verification import GatedReference, check_gated, gated_metrics
from pipeline.firmware.hls.project import Target
from pipeline.firmware.hls.projects import write_and_check
from pipeline.firmware.hls.verification import check_golden, check_simulation, firmware_metrics
from pipeline.integers.network import INTEGER_NETWORK, IntegerNetwork
from pipeline.params import load_params
from pipeline.samples.predictions import (
    FIRMWARE_TEST,
    QUANTIZED_TEST,
    read_predictions,
    write_predictions,
)
from pipeline.samples.prepared import PREPARED, read_prepared

FIRMWARE = Path("models/firmware")
METRICS = Path("metrics/firmware.json")
QUARTUS, ONEAPI = Path("models/firmware_quartus"), Path("models/firmware_oneapi")
VENDOR_TOOLS = ("vitis-run", "vitis_hls", "vivado_hls", "vivado")


def main() -> None:
    """Run the stage in the working directory."""
    params = load_params().synthesize
    require_compiler()
    network = read(IntegerNetwork, INTEGER_NETWORK)
    test = read_prepared(PREPARED).test
    quantized = read_predictions(QUANTIZED_TEST, test.n_windows)
    windows = test.windows(test.for_network(network).scaled_samples())

    targets = {
        FIRMWARE: Target(params, params.backend),
        QUARTUS: Target(params, "Quartus"),
        ONEAPI: Target(params, "oneAPI"),
    }

    if network.exact:
        golden, against_qkeras = check_golden(network, windows, quantized, params.max_mismatch_mev)
        equal = partial(check_simulation, network, windows, golden)
        outputs, simulated = write_and_check(network, targets, equal, len(windows))
        metrics = firmware_metrics(network, [against_qkeras, *simulated])
        compared = "; ".join(
            f"{one.found} against {one.reference}: {one.windows} windows, "
            f"{one.mismatches} mismatches"
            for one in (against_qkeras, *simulated)
        )
    else:
        reference = GatedReference(windows, quantized, test.targets(test.scaled_truth()))
        check = partial(check_gated, network, reference, params.max_gated_rms_mev)
        outputs, gated = write_and_check(network, targets, check, len(windows))
        metrics = gated_metrics(network, reference, gated)
        compared = f"{len(windows)} windows compared with QKeras"
    write_predictions(FIRMWARE_TEST, outputs)
    write_json(METRICS, metrics)
    print(vendor_tools())
    written = ", ".join(f"{folder}/" for folder in targets)
    say(f"synthesize: {compared}; {written}, {METRICS}")


def vendor_tools() -> str:
    """Say in one line which of AMD's tools are on ``PATH``; nothing is run."""
    present = [tool for tool in VENDOR_TOOLS if shutil.which(tool)]
    if present:
        return f"AMD's tools on PATH: {', '.join(present)} (not run by this stage)"
    return f"none of AMD's tools on PATH ({', '.join(VENDOR_TOOLS)}): no synthesis report"


if __name__ == "__main__":
    run_stage(main)
