"""``params.yaml`` as frozen, validated objects: the only reader of that file.

Every section of ``params.yaml`` is one pydantic model. Unknown keys, missing
keys, wrong types and values out of range are errors that name the dotted key
(``search.goal.delta_p``). Units stand in the names.
"""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.errors import PipelineError, run_stage

PARAMS_FILE = Path("params.yaml")
MAX_SEED = 2**31 - 1  # NumPy's and TensorFlow's seeds have 32 bits; restarts and trials count up
BC_NS = 25.0


class ParamsError(PipelineError):
    """A value in ``params.yaml`` cannot be used."""


class Section(BaseModel):
    """Base of all sections: frozen, strict types, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataParams(Section):
    """Where the samples come from."""

    file: str = Field(min_length=1)


class PulseParams(Section):
    """Ionisation pulse and shaper; see `pipeline.detector.pulse`."""

    drift_time_ns: float = Field(gt=0)
    shaper_time_ns: float = Field(gt=0)
    preamp_time_ns: float = Field(gt=0)


class PileupParams(Section):
    """Minimum-bias deposits in the cell."""

    mean_interactions: float = Field(ge=0)
    mean_et_mev: float = Field(ge=0)
    hit_probability: float = Field(gt=0, le=1)
    tail_shape: float = Field(gt=0)


class BunchTrainParams(Section):
    """Filling pattern; ``filled_bc = 0`` fills every bunch crossing."""

    filled_bc: int = Field(ge=0)
    empty_bc: int = Field(ge=0)

    @model_validator(mode="after")
    def _flat(self) -> Self:
        if self.filled_bc == 0 and self.empty_bc > 0:
            raise ValueError("empty_bc must be 0 where filled_bc is 0 (every BC is filled)")
        return self


class SignalParams(Section):
    """Injected deposits with random gap and random energy."""

    max_et_gev: float = Field(gt=0)
    mean_gap_bc: float = Field(ge=1)
    std_gap_bc: float = Field(ge=0)


class NoiseParams(Section):
    """Electronics noise after the shaper."""

    rms_mev: float = Field(ge=0)


class AdcParams(Section):
    """Analogue-to-digital converter."""

    lsb_mev: float = Field(gt=0)
    bits: int = Field(ge=2, le=24)
    pedestal_counts: int = Field(ge=0)

    @model_validator(mode="after")
    def _pedestal_fits(self) -> Self:
        if self.pedestal_counts >= 2**self.bits:
            raise ValueError("pedestal_counts must stay below 2^bits")
        return self


class OptimalFilterParams(Section):
    """Optimal filter of the OFMax reference."""

    n_samples: int = Field(ge=3, le=32)


class SimulateParams(Section):
    """The built-in generator."""

    seed: int = Field(ge=0, le=MAX_SEED)
    n_bc: int = Field(ge=1)
    chunk_bc: int = Field(ge=64)
    pulse: PulseParams
    pileup: PileupParams
    bunch_train: BunchTrainParams
    signal: SignalParams
    noise: NoiseParams
    adc: AdcParams
    optimal_filter: OptimalFilterParams


class PrepareParams(Section):
    """Window geometry, scale and split."""

    window_length: int = Field(ge=1, le=256)
    target_lag: int = Field(ge=0)
    et_scale_gev: float = Field(gt=0)
    train_fraction: float = Field(gt=0, lt=1)
    validation_fraction: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.target_lag > self.window_length:
            raise ValueError("target_lag must not exceed window_length")
        if self.train_fraction + self.validation_fraction >= 1:
            raise ValueError("train_fraction + validation_fraction must stay below 1")
        return self


class TrainParams(Section):
    """The float network and its fit."""

    seed: int = Field(ge=0, le=MAX_SEED)
    cell: Literal["SimpleRNN", "LSTM", "GRU"]
    units: int = Field(ge=1, le=512)
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


Memory = Literal["sram", "dram", "fixed"]


class EnergyParams(Section):
    """QTools' energy model; lists of two are ``[reference, trial]``."""

    process: Literal["horowitz"]
    parameters_on_memory: list[Memory] = Field(min_length=2, max_length=2)
    activations_on_memory: list[Memory] = Field(min_length=2, max_length=2)
    min_sram_size_bits: list[Annotated[int, Field(ge=0)]] = Field(min_length=2, max_length=2)
    rd_wr_on_io: list[bool] = Field(min_length=2, max_length=2)
    reference_internal: Literal["fp32", "fp16", "int8"]
    reference_accumulator: Literal["fp32", "fp16", "int32", "int16"]


class EvaluateParams(Section):
    """Classes, bins and labels of the evaluation; see `pipeline.evaluation`."""

    label: str
    low_et_mev: float = Field(gt=0)
    high_et_mev: float = Field(gt=0)
    gap_edges_bc: list[int] = Field(min_length=1)
    residual_range_mev: float = Field(gt=0)
    residual_bin_mev: float = Field(gt=0)
    response_bin_mev: float = Field(gt=0)
    stretch_start_bc: int = Field(ge=0)
    stretch_length_bc: int = Field(ge=2, le=1000)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        edges = self.gap_edges_bc
        if edges[0] < 1 or any(a >= b for a, b in pairwise(edges)):
            raise ValueError("gap_edges_bc must be positive and increase")
        if self.high_et_mev <= self.low_et_mev:
            raise ValueError("high_et_mev must exceed low_et_mev")
        if self.residual_bin_mev > self.residual_range_mev:
            raise ValueError("residual_bin_mev must not exceed residual_range_mev")
        if self.residual_range_mev / self.residual_bin_mev > 1000:
            raise ValueError("residual_range_mev / residual_bin_mev must not exceed 1000")
        return self


class GoalParams(Section):
    """AutoQKeras' forgiving factor; see `pipeline.quantization.score`."""

    type: Literal["energy", "bits"]
    delta_p: float = Field(ge=0)
    delta_n: float = Field(ge=0)
    rate: float = Field(gt=1)
    stress: float = Field(gt=0)
    max_rmse_ratio: float | None = Field(gt=0)


class SearchParams(Section):
    """The search for quantisers, in AutoQKeras' words."""

    mode: Literal["random", "bayesian", "hyperband"]
    seed: int = Field(ge=1, le=MAX_SEED)  # keras-tuner takes 0 for "no seed"
    max_trials: int = Field(ge=1)
    epochs: int = Field(ge=1)
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
    workers: int = Field(ge=1, le=256)
    worker_timeout_s: float = Field(gt=0)
    uniform_bits: list[int]
    layer_indexes: list[int] | None
    input_quantizer: str
    goal: GoalParams
    quantization_config: dict[str, dict[str, int]]
    limit: dict[str, int | list[int | list[str]]]

    @model_validator(mode="after")
    def _lists_make_sense(self) -> Self:
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

    trial: str | int = Field(union_mode="left_to_right")
    seed: int = Field(ge=0, le=MAX_SEED)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


class SynthesizeParams(Section):
    """The HLS project and how exact it must be; see `pipeline.firmware`."""

    backend: Literal["Vitis", "Vivado"]
    part: str = Field(pattern=r"\A[A-Za-z0-9_.-]+\z")
    intel_part: str = Field(pattern=r"\A[A-Za-z0-9_.-]+\z")
    clock_period_ns: float = Field(gt=0)
    clock_uncertainty_percent: float = Field(ge=0, lt=100)
    project_name: str = Field(pattern=r"\A[A-Za-z_][A-Za-z0-9_]*\z")
    max_mismatch_mev: float = Field(ge=0)


class RtlParams(Section):
    """The RTL and its simulation; see `pipeline.firmware.rtl_project`."""

    top: str = Field(pattern=r"\A[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*\z")
    adders_per_stage: int = Field(ge=1, le=64)
    clock_period_ns: float = Field(gt=0)
    cells: int = Field(ge=1, le=1024)
    stream_windows: int = Field(ge=1)
    stream_gap_probability: float = Field(ge=0, lt=1)
    stream_seed: int = Field(ge=0)
    event_windows: int = Field(ge=0)

    @model_validator(mode="after")
    def _keeps_up(self) -> Self:
        if self.cells * self.clock_period_ns > BC_NS:
            raise ValueError(
                f"cells * clock_period_ns is {self.cells * self.clock_period_ns:g} ns, "
                f"but each cell sends a sample every {BC_NS:g} ns"
            )
        return self


class ImplementParams(Section):
    """Synthesis, place and route; see `pipeline.firmware.open_synthesis`."""

    families: list[Literal["xcup", "cyclonev", "ecp5"]] = Field(min_length=1)
    netlist_windows: int = Field(ge=1)
    route: bool
    seed: int = Field(ge=0)
    intel_device: str = Field(pattern=r"\A[A-Za-z0-9_.-]+\z")
    timeout_s: float = Field(gt=0)


class Params(Section):
    """The whole of ``params.yaml``."""

    data: DataParams
    simulate: SimulateParams
    prepare: PrepareParams
    train: TrainParams
    energy: EnergyParams
    search: SearchParams
    finetune: FinetuneParams
    synthesize: SynthesizeParams
    rtl: RtlParams
    implement: ImplementParams
    evaluate: EvaluateParams


class _Yaml12Loader(yaml.SafeLoader):
    """Safe loader that reads ``1e-05`` as a float, as YAML 1.2 does."""


_Yaml12Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:float"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml12Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+"
        r"|\.[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF|nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate a parameter file.

    Parameters
    ----------
    path
        A YAML file; ``params.yaml`` of the working directory by default.

    Raises
    ------
    ParamsError
        If the file is missing, is not YAML, or holds an unknown key, a wrong
        type or a value out of range. The message names file and dotted key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path}: not UTF-8: {error}") from error
    try:
        tree = yaml.load(text, Loader=_Yaml12Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    return parse_params(tree, str(path))


def parse_params(tree: Any, origin: str = "params") -> Params:
    """Validate an already parsed tree; see `load_params`."""
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        # A value that fits no branch of a union gives one error for each branch.
        first = {_key(item): item for item in reversed(error.errors(include_url=False))}
        lines = [f"{origin}: {_explain(item)}" for item in reversed(first.values())]
        raise ParamsError("\n".join(lines)) from None


def _key(item: Any) -> str:
    """Return the dotted key of an error, without the names of a union's branches."""
    parts = [str(part) for part in item["loc"]]
    return ".".join(part for part in parts if part != "int" and "[" not in part) or "(top level)"


def _explain(item: Any) -> str:
    key = _key(item)
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if item["type"] == "missing":
        return f"{key}: missing"
    message = item["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if isinstance(item["input"], (dict, list)):
        return f"{key}: {message}"
    return f"{key}: {message}, found {item['input']!r}"


if __name__ == "__main__":  # `make repro` checks the whole file before any stage runs
    run_stage(lambda: print(f"{PARAMS_FILE}: valid", file=sys.stderr) if load_params() else None)
