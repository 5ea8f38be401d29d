"""Sections ``train``, ``energy``, ``search`` and ``finetune``: the networks and their cost."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pipeline.params.section import MAX_SEED, Section

Memory = Literal["sram", "dram", "fixed"]
MAX_UNITS = 512  # of the recurrent layer, trained or searched


# Pydantic reports a value that fits no branch of a union once for each branch.
def _one_limit(value: Any) -> Any:
    entries = value if isinstance(value, list) else [value]
    texts = [text for entry in entries if isinstance(entry, list) for text in entry]
    bits = [entry for entry in entries if not isinstance(entry, list)]
    if all(type(n) is int for n in bits) and all(isinstance(text, str) for text in texts):
        return value
    raise ValueError(
        "should be a number of bits, or a list with a number of bits or a list of "
        "quantisers for each kind of tensor"
    )


def _one_trial(value: Any) -> Any:
    if type(value) is int or (isinstance(value, str) and value):
        return value
    raise ValueError("should be best or the name of a trial")


Limit = Annotated[int | list[int | list[str]], BeforeValidator(_one_limit)]
TrialName = Annotated[str | int, Field(union_mode="left_to_right"), BeforeValidator(_one_trial)]


class TrainParams(Section):
    """The float network and its fit."""

    seed: int = Field(ge=0, le=MAX_SEED)
    cell: Literal["SimpleRNN", "LSTM", "GRU"]
    units: int = Field(ge=1, le=MAX_UNITS)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    early_stopping_patience: int = Field(ge=0)
    reduce_lr_patience: int = Field(ge=0)
    reduce_lr_factor: float = Field(gt=0, lt=1)
    min_delta: float = Field(ge=0)
    min_learning_rate: float = Field(ge=0)
    max_restarts: int = Field(ge=0)
    strategy: Literal["auto", "cpu", "gpu", "mirrored", "tpu"]


class EnergyParams(Section):
    """QTools' energy model; lists of two are ``[reference, trial]``."""

    process: Literal["horowitz"]
    parameters_on_memory: list[Memory] = Field(min_length=2, max_length=2)
    activations_on_memory: list[Memory] = Field(min_length=2, max_length=2)
    min_sram_size_bits: list[Annotated[int, Field(ge=0)]] = Field(min_length=2, max_length=2)
    rd_wr_on_io: list[bool] = Field(min_length=2, max_length=2)
    reference_internal: Literal["fp32", "fp16", "int8"]
    reference_accumulator: Literal["fp32", "fp16", "int32", "int16"]


class GoalParams(Section):
    """AutoQKeras' forgiving factor; see `pipeline.quantization.search.plan.score`."""

    type: Literal["energy", "bits"]
    delta_p: float = Field(ge=0)
    delta_n: float = Field(ge=0)
    rate: float = Field(gt=1)
    stress: float = Field(gt=0)
    max_rmse_ratio: float | None = Field(gt=0)


class SearchParams(Section):
    """The search for quantisers, in AutoQKeras' words."""

    mode: Literal["halving", "random", "bayesian", "hyperband"]
    seed: int = Field(ge=1, le=MAX_SEED)  # keras-tuner takes 0 for "no seed"
    max_trials: int = Field(ge=1)
    epochs: int = Field(ge=1)
    first_epochs: int = Field(ge=1)
    survivors: int = Field(ge=1)
    descents: int = Field(ge=0)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    learning_rate_optimizer: bool
    transfer_weights: bool
    tune_filters: Literal["none", "layer", "block"]
    tune_filters_exceptions: str | None
    filter_range: list[float] = Field(min_length=1)
    blocks: list[str] | None
    schedule_block: Literal["sequential", "cost"]
    block_min_trials: int = Field(ge=1)
    uniform_bits: list[int]
    layer_indexes: list[int] | None
    input_quantizer: str
    goal: GoalParams
    quantization_config: dict[str, dict[str, int]]
    limit: dict[str, Limit]

    @model_validator(mode="after")
    def _lists_make_sense(self) -> Self:
        if self.mode == "halving" and self.first_epochs >= self.epochs:
            raise ValueError("first_epochs must be less than epochs")
        if any(factor <= 0 for factor in self.filter_range):
            raise ValueError("filter_range must hold factors above 0")
        if len(set(self.filter_range)) < len(self.filter_range):
            raise ValueError("filter_range must not repeat a factor")
        if any(not 2 <= bits <= 24 for bits in self.uniform_bits):
            raise ValueError("uniform_bits must hold numbers of bits in 2..24")
        if len(set(self.uniform_bits)) < len(self.uniform_bits):
            raise ValueError("uniform_bits must not repeat a number of bits")
        if self.blocks is not None and not self.blocks:
            raise ValueError("blocks must be null (one search over all layers) or hold patterns")
        try:
            re.compile(self.tune_filters_exceptions or "")
        except re.error as error:
            raise ValueError(
                f"tune_filters_exceptions must be a regular expression: {error}"
            ) from None
        return self


class FinetuneParams(Section):
    """Quantization-aware training of the chosen network, or of another trial."""

    trial: TrialName
    seed: int = Field(ge=0, le=MAX_SEED)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
