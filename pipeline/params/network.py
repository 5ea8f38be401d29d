"""Sections ``train``, ``search`` and ``finetune``: the networks."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.params.quantizers import Limit, Quantizers, QuantizerText, TrialName
from pipeline.params.section import MAX_BATCH, MAX_EPOCHS, MAX_SEED, MAX_TRIALS, Section
from pipeline.quantizers.quantizer import Rounding

MAX_UNITS = 512  # of the recurrent layer, trained or searched
MOST_STARTS = 8  # lanes of a stack of networks


class TrainParams(Section):
    """The float network and its fit."""

    seed: int = Field(
        ge=0,
        le=MAX_SEED,
        description="Seed of weights and of the order of the batches.",
    )
    seeds: int = Field(
        ge=1,
        le=8,
        description="Trainings from other weights, all at once; the best on validation counts. "
        "One that is dead, or behind one that has reached its plateau, ends early. LSTM, GRU, "
        "more than 64 units and other devices than one CPU: one training.",
    )
    cell: Literal["SimpleRNN", "LSTM", "GRU"] = Field(
        description="Kind of the recurrent layer. Only a SimpleRNN has exact firmware and RTL. "
        "LSTM and GRU go through hls4ml's templates, whose difference from QKeras is measured.",
    )
    units: int = Field(ge=1, le=MAX_UNITS, description="Units of the recurrent layer.")
    weights: str | None = Field(
        min_length=1,
        description="A float network of your own, in place of a fit: a file of Keras (.h5, "
        ".weights.h5, .keras) or another float.weights.h5, relative to the repository. It must be "
        "the network that `cell`, `units` and `prepare.window_length` say. null: train one.",
    )
    epochs: int = Field(
        ge=1, le=MAX_EPOCHS, description="Most epochs; training stops earlier on a plateau."
    )
    batch_size: int = Field(ge=1, le=MAX_BATCH, description="Windows in one step of the optimizer.")
    learning_rate: float = Field(gt=0, le=1, description="Learning rate of Adam at the start.")
    early_stopping_patience: int = Field(
        ge=0,
        le=MAX_EPOCHS,
        description="Epochs without a better validation loss after which training stops.",
    )
    reduce_lr_patience: int = Field(
        ge=0,
        le=MAX_EPOCHS,
        description="Epochs without a better validation loss after which the learning rate is "
        "reduced.",
    )
    reduce_lr_factor: float = Field(
        gt=0,
        lt=1,
        description="The learning rate is multiplied by this each time.",
    )
    min_delta: float = Field(
        ge=0,
        le=1,
        description="How much lower the validation loss must be to count as better: mean "
        "squared error in units of `prepare.et_scale_gev` squared.",
    )
    min_learning_rate: float = Field(
        ge=0,
        le=1,
        description="The learning rate is not reduced below this.",
    )
    max_restarts: int = Field(
        ge=0,
        le=1000,
        description="How many further seeds are tried while all starts are dead: the output is the "
        "same for all validation windows, and no weight has a gradient that could change that.",
    )
    strategy: Literal["auto", "cpu", "gpu", "mirrored", "tpu"] = Field(
        description="Device: `auto` is a GPU if TensorFlow sees one, else the CPU "
        "(requirements.lock has TensorFlow for CPUs); `mirrored` is all GPUs of the machine.",
    )


class GoalParams(Section):
    """AutoQKeras' forgiving factor; see `pipeline.quantization.search.plan.score`."""

    type: Literal["energy", "bits"] = Field(
        description="What a network costs: the energy of one inference, or bits.",
    )
    delta_p: float = Field(
        ge=0,
        le=1000,
        description="Score in percent for each factor `rate` by which a trial is cheaper than "
        "the reference. Used where `max_rmse_ratio` is null.",
    )
    delta_n: float = Field(
        ge=0,
        le=1000,
        description="The same for a trial that is more expensive than the reference.",
    )
    rate: float = Field(
        gt=1,
        le=1_000_000,
        description="The factor in cost that `delta_p` and `delta_n` refer to.",
    )
    stress: float = Field(
        gt=0,
        le=1_000_000,
        description="The reference's cost is multiplied by this; below 1 asks for cheaper "
        "networks.",
    )
    max_rmse_ratio: float | None = Field(
        gt=0,
        le=1000,
        description="The goal is the cheapest network whose validation RMSE is at most this "
        "multiple of the float network's. null: AutoQKeras' forgiving factor, to which "
        "`delta_p`, `delta_n`, `rate` and `stress` belong.",
    )


class SearchParams(Section):
    """The search for quantizers, in AutoQKeras' words."""

    mode: Literal["halving", "random", "bayesian", "hyperband"] = Field(
        description="How trials are chosen. `halving`: short random trials, the best of them "
        "trained on, then a descent in single steps; the others are keras-tuner's.",
    )
    # keras-tuner takes 0 for "no seed"
    seed: int = Field(
        ge=1,
        le=MAX_SEED,
        description="Seed of the search; a trial's seed is this plus its number. keras-tuner "
        "takes 0 for no seed.",
    )
    seeds: int = Field(
        ge=1,
        le=MOST_STARTS,
        description="How often each network is trained, with other orders of windows; the best "
        "counts, and `halving` compares the means. On one CPU all are trained at once. Networks "
        "that only Keras trains (LSTM, GRU, other quantizers, other devices) are trained once.",
    )
    max_trials: int = Field(
        ge=1,
        le=MAX_TRIALS,
        description="Trials of `random` and `bayesian`; of `halving`, the first, short ones. "
        "`hyperband` follows from `epochs`.",
    )
    epochs: int = Field(
        ge=1, le=MAX_EPOCHS, description="Quantization-aware epochs of one whole trial."
    )
    first_epochs: int = Field(
        ge=1,
        le=MAX_EPOCHS,
        description="`halving`: epochs of every first trial; less than `epochs`.",
    )
    survivors: int = Field(
        ge=1,
        le=MAX_TRIALS,
        description="`halving`: how many of the first trials train on to `epochs`.",
    )
    descents: int = Field(
        ge=0,
        le=MAX_TRIALS,
        description="`halving`: how many trials of `epochs` follow, each one step from a "
        "network tried before.",
    )
    batch_size: int = Field(ge=1, le=MAX_BATCH, description="Windows in one step of the optimizer.")
    learning_rate: float = Field(
        gt=0,
        le=1,
        description="Learning rate at the start; it falls to 0 along a cosine.",
    )
    early_stopping_patience: int | None = Field(
        ge=1,
        le=MAX_EPOCHS,
        description="A training stops after so many epochs without a lower validation loss. "
        "Where one goes on with another, they are counted on. null: all epochs are run.",
    )
    learning_rate_optimizer: bool = Field(
        description="Whether to search the learning rate too: times one of five factors up to 1.1.",
    )
    transfer_weights: bool = Field(
        description="Whether trials start from the float weights, or from new random ones.",
    )
    tune_filters: Literal["none", "layer", "block"] = Field(
        description="Whether to search the number of units too, for each layer or for each "
        "block. With one recurrent layer both are the same.",
    )
    tune_filters_exceptions: str | None = Field(
        description="Regular expression: layers whose name it matches keep their units. null: "
        "none.",
    )
    filter_range: list[Annotated[float, Field(gt=0, le=MAX_UNITS)]] = Field(
        min_length=1,
        description="Factors on `train.units` to choose from, each above 0 and different. "
        "AutoQKeras has 0.5, 0.75, 1, 1.5, 2.",
    )
    blocks: list[str] | None = Field(
        description="Regular expressions on layer names (rnn, dense), whose layers are searched "
        "one block after the other. null: one search over all layers.",
    )
    schedule_block: Literal["sequential", "cost"] = Field(
        description="Order of the blocks: as listed, or the most expensive first.",
    )
    block_min_trials: int = Field(
        ge=1,
        le=MAX_TRIALS,
        description="A block gets `max_trials` times its share of the cost, at least this.",
    )
    uniform_bits: list[int] = Field(
        description="Uniform networks: networks with so many bits (2 to 24, no number twice) in "
        "all kernels and the state.",
    )
    layer_indexes: list[int] | None = Field(
        description="Only these layers are quantized: 1 is rnn, 2 is dense. null: all, which "
        "`finetune` needs.",
    )
    input_quantizer: QuantizerText = Field(description="Quantizer of the samples.")
    rounding: Rounding = Field(
        description="Where values between layers (activation, state, output) go that lie half "
        "way between two values of their quantizer: `half_even` as in QKeras, or `half_up`, which "
        "takes less logic. A quantizer may say it itself, as `quantized_relu(12,0,"
        "rounding='half_up')`; weights and samples do not follow this. SimpleRNN only.",
    )
    round_state_once: bool = Field(
        description="Whether the hidden value is rounded once a step: the activation has the "
        "quantizer of the state in every network, and the Dense layer reads what the next step "
        "reads. false: it is rounded to its own activation first. SimpleRNN only.",
    )
    goal: GoalParams
    quantization_config: dict[str, Quantizers] = Field(
        description="A list of quantizers for each kind of tensor: `kernel`, "
        "`recurrent_kernel`, `bias`, `activation`, `state` and, for LSTM and GRU, "
        "`recurrent_activation`. AutoQKeras' dictionaries from quantizers to their bits are "
        "read, too.",
    )
    limit: dict[str, Limit] = Field(
        description="For each kind of tensor of a layer the most bits, or a list of quantizers, "
        "in the order kernel, bias, recurrent kernel, activation, state (Dense: kernel, bias, "
        "activation); by layer name or regular expression on it, layer class, or `default`. "
        "LSTM and GRU may have a sixth entry for `recurrent_activation`.",
    )

    @model_validator(mode="after")
    def _lists_make_sense(self) -> Self:
        if self.mode == "halving" and self.first_epochs >= self.epochs:
            raise ValueError("first_epochs must be less than epochs")
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

    trial: TrialName = Field(description="`best`, or the name of a trial in models/search.json.")
    seed: int = Field(ge=0, le=MAX_SEED, description="Seed of the order of the batches.")
    seeds: int = Field(
        ge=1,
        le=MOST_STARTS,
        description="How often the network is trained on, with other orders of windows; see "
        "`search.seeds`.",
    )
    epochs: int = Field(ge=1, le=MAX_EPOCHS, description="Epochs of quantization-aware training.")
    batch_size: int = Field(ge=1, le=MAX_BATCH, description="Windows in one step of the optimizer.")
    learning_rate: float = Field(
        gt=0,
        le=1,
        description="Learning rate at the start; it falls to 0 along a cosine.",
    )
    early_stopping_patience: int | None = Field(
        ge=1,
        le=MAX_EPOCHS,
        description="Training stops after so many epochs without a lower validation loss. "
        "null: all epochs are run.",
    )
