"""Quantization-aware training of the chosen network, and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipeline.base.architecture import units_of
from pipeline.base.arrays import F32
from pipeline.base.errors import PipelineError, say
from pipeline.networks.fitting import FitResult, WindowData, WindowFitter, rmse_mev
from pipeline.networks.float_network import get_weights, set_weights
from pipeline.params.network import FinetuneParams
from pipeline.quantization.energy.cost import CostModel
from pipeline.quantization.training.network import forward, freeze
from pipeline.quantization.training.settings import QatSettings
from pipeline.quantization.training.trainer import QatTrainer
from pipeline.quantizers.quantizer import Quantizer


class FinetuneError(PipelineError):
    """The chosen network cannot be fine-tuned with these parameters."""


@dataclass(frozen=True)
class FinetunedNetwork:
    """A frozen quantized network.

    Attributes
    ----------
    weights
        By ``layer/tensor``, on their quantizers' grids.
    validation_loss, float_loss
        Mean squared errors on validation data in scaled units: of the frozen
        network, and of the float network it started from.
    test_output
        QKeras' output for every test window, float32 (n_windows,), scaled.
    fit
        The loss curve.
    improved
        Whether an epoch was better than the weights that training started from; if not,
        those are the weights.
    """

    weights: dict[str, F32]
    validation_loss: float
    float_loss: float
    test_output: F32
    fit: FitResult
    improved: bool


def finetune(
    trainer: QatTrainer,
    quantizers: Mapping[str, Quantizer],
    float_weights: Mapping[str, F32],
    start: Mapping[str, F32],
    params: FinetuneParams,
    test: WindowData,
) -> FinetunedNetwork:
    """Train from the weights of a trial, freeze, and predict the test windows.

    Parameters
    ----------
    trainer, quantizers
        Data and network.
    float_weights
        Of the float network, which the result is compared with.
    start
        Where training starts; their shape says how many units there are.
    params
        The ``finetune`` section.
    test
        What is predicted in the end.

    Raises
    ------
    FinetuneError
        If training kills the network or diverges.
    """
    settings = QatSettings(
        epochs=params.epochs,
        batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        seed=params.seed,
        units=units_of(start),
        patience=params.early_stopping_patience,
        starts=params.seeds,
    )
    try:
        result = trainer.fit(quantizers, start, settings, "finetune")
    except FloatingPointError as error:
        raise FinetuneError(f"finetune.learning_rate: {params.learning_rate}: {error}") from error
    if result.dead:
        raise FinetuneError(
            f"finetune: the quantized network is dead after epoch {result.fit.epochs}: its "
            "output is the same for all validation windows; choose finer quantizers "
            "(search.limit) or a lower finetune.learning_rate"
        )
    # Some seeds wander off; what is handed on is never worse than what was chosen.
    improved = result.validation_loss < trainer.validation_loss(quantizers, start)
    if not improved:
        say(
            f"finetune: none of {result.fit.epochs} epochs was better than the trial's own "
            "weights, which are handed on",
        )
    model = trainer.build(quantizers, units_of(start))
    set_weights(model, result.weights if improved else start)
    freeze(model)
    fitter = WindowFitter(model, tf.keras.optimizers.Adam(), trainer.strategy, forward)
    return FinetunedNetwork(
        weights=get_weights(model),
        validation_loss=fitter.mean_squared_error(trainer.validation),
        float_loss=trainer.validation_loss({}, float_weights),
        test_output=fitter.predict(test),
        fit=result.fit,
        improved=improved,
    )


def finetune_metrics(
    tuned: FinetunedNetwork,
    quantizers: Mapping[str, Quantizer],
    costs: CostModel,
    et_scale_gev: float,
) -> dict[str, object]:
    """Return the content of ``metrics/finetune.json``."""
    units = units_of(tuned.weights)
    cost = costs.trial(quantizers, units)
    rmse = rmse_mev(tuned.validation_loss, et_scale_gev)
    return {
        "validation_rmse_mev": rmse,
        "rmse_ratio_to_float": rmse / rmse_mev(tuned.float_loss, et_scale_gev),
        "energy_nj": cost.energy_nj,
        "weight_bits": cost.weight_bits,
        "units": units,
        "epochs": tuned.fit.epochs,
        "improved": int(tuned.improved),
        "bits": {
            tensor.replace("/", "_"): quantizer.bits for tensor, quantizer in quantizers.items()
        },
    }


def finetune_line(trial: str, metrics: Mapping[str, Any]) -> str:
    """Return one line on what came out, from the content of ``metrics/finetune.json``."""
    kept = "" if metrics["improved"] else " (the trial's own weights)"
    return (
        f"finetune: trial {trial}: {metrics['units']} units; {metrics['epochs']} epochs{kept}; "
        f"{metrics['validation_rmse_mev']:.2f} MeV on validation, "
        f"{metrics['rmse_ratio_to_float']:.4f} of float; {1000 * metrics['energy_nj']:.2f} pJ; "
        f"{metrics['weight_bits']:.0f} bits of weights; written: models/quantized.weights.h5, "
        "models/quantized.json, models/integer.json"
    )
