"""A quantized network evaluated by QKeras in float64, where float32 does not hold its sums.

QKeras is written for float32: a sum of more than 24 bits is rounded before its quantizer
sees it, and what comes out is not what the quantizers say. In float64 the same code is exact up to
53 bits, and firmware can be asked to equal it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from pipeline.base.architecture import Architecture
from pipeline.base.arrays import F32, F64, Real
from pipeline.base.units import MEV_PER_GEV
from pipeline.networks.fitting import EVALUATION_BATCH, WindowData
from pipeline.networks.float_network import set_weights
from pipeline.quantization.training.network import build_quantized_network, forward, without_ste
from pipeline.quantizers import qkeras_compat
from pipeline.quantizers.quantizer import Quantizer
from pipeline.samples.windows import windows


def predict_double(
    architecture: Architecture,
    quantizers: Mapping[str, Quantizer],
    weights: Mapping[str, F32],
    data: WindowData,
) -> F64:
    """Evaluate a frozen network on every window.

    Parameters
    ----------
    architecture, quantizers
        As in `pipeline.quantization.training.network.build_quantized_network`.
    weights
        On their quantizers' grids, as `pipeline.quantization.training.network.freeze` leaves them.
    data
        Float32 samples; they are widened, not computed anew.

    Returns
    -------
    float64 (n_windows,), scaled.
    """
    # Weights are what their quantizers return, so those have nothing left to do; some of them
    # cannot do it in float64.
    of_values = {
        tensor: quantizer for tensor, quantizer in quantizers.items() if tensor not in weights
    }
    with _double_precision():
        model = build_quantized_network(architecture, of_values)
        without_ste(model)
        set_weights(model, weights)
        evaluate = tf.function(lambda batch: forward(model, batch, training=False)[:, 0])
        inputs = windows(data.samples.numpy().astype(np.float64), architecture.window_length)
        outputs = [
            evaluate(tf.constant(inputs[start : start + EVALUATION_BATCH, :, None])).numpy()
            for start in range(0, len(inputs), EVALUATION_BATCH)
        ]
    return np.concatenate(outputs)


def precision_metrics(single: F32, used: Real, et_scale_gev: float) -> dict[str, object]:
    """Say in how many bits QKeras was evaluated, and how far float32 is from that.

    Parameters
    ----------
    single
        Outputs of QKeras in float32, (n,), scaled.
    used
        The outputs that firmware is compared with: the same, or float64.
    et_scale_gev
        What E_T was divided by.
    """
    difference = np.abs(single.astype(np.float64) - used)
    return {
        "qkeras_float_bits": used.dtype.itemsize * 8,
        "float32_mismatches": int(np.count_nonzero(difference)),
        "float32_max_difference_mev": float(difference.max()) * et_scale_gev * MEV_PER_GEV,
    }


@contextmanager
def _double_precision() -> Iterator[None]:
    """Let Keras make float64 layers while inside, and QKeras' quantizers keep float64."""
    before = tf.keras.backend.floatx()
    tf.keras.backend.set_floatx("float64")
    try:
        with qkeras_compat.quantizers_in_double_precision():
            yield
    finally:
        tf.keras.backend.set_floatx(before)
