"""Reference points: the network with the same number of bits in all weights and states.

The search has to beat them: its front must lie on or below them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.params.network import SearchParams
from pipeline.quantization.oracles import make_list_oracle
from pipeline.quantization.quantizers import INPUT, Quantizer, parse_quantizer, quantized_tensors
from pipeline.quantization.runner import TrialRunner
from pipeline.quantization.search_file import uniform_name
from pipeline.quantization.search_space import SearchSpaceError
from pipeline.quantization.trial import QatSettings
from pipeline.quantization.tuner import NetworkTuner, metrics_of

_BITS = "bits"
_WEIGHTS = "quantized_bits({bits},0,1,alpha='auto_po2')"
_STATE = "quantized_relu({bits},0)"
_SIGNED_STATE = "quantized_bits({bits},1,0,alpha=1)"  # an LSTM's c goes beyond 1


def uniform_quantizers(params: SearchParams, cell: str, bits: int) -> dict[str, Quantizer]:
    """Return quantisers with `bits` in kernels and state.

    Biases and activations, which cost next to nothing, have the most bits that
    their list in ``quantization_config`` offers, so that only weights and state
    decide how good the point is. A state wider than the activation that it is a copy
    of would hold no more than that: a SimpleRNN's activation has at least `bits`.

    Raises
    ------
    SearchSpaceError
        If such a list is missing.
    """
    state = _STATE if cell == "SimpleRNN" else _SIGNED_STATE
    texts = {}
    for tensor in quantized_tensors(cell):
        kind = tensor.split("/")[-1]
        if tensor == INPUT:
            texts[tensor] = params.input_quantizer
        elif kind in ("kernel", "recurrent_kernel"):
            texts[tensor] = _WEIGHTS.format(bits=bits)
        elif kind == "state":
            texts[tensor] = state.format(bits=bits)
        else:
            of_gates = cell != "SimpleRNN" and tensor == "rnn/activation"
            texts[tensor] = _widest(params.quantization_config, kind, of_gates)
            most = params.quantization_config[kind][texts[tensor]]
            if (cell, tensor) == ("SimpleRNN", "rnn/activation") and most < bits:
                texts[tensor] = state.format(bits=bits)
    return {tensor: parse_quantizer(text, f"search: {tensor}") for tensor, text in texts.items()}


class ReferenceTuner(NetworkTuner):
    """Trains the points of ``search.uniform_bits`` as trials are trained.

    Parameters
    ----------
    runner
        Trains and remembers them; its directory holds the state.
    stage
        See `NetworkTuner`.
    """

    def __init__(self, runner: TrialRunner, stage: int = 0) -> None:
        oracle = make_list_oracle(runner.params, _BITS, runner.params.uniform_bits)
        super().__init__(runner, oracle, stage)

    asked_by = "search.uniform_bits"

    def name_of(self, trial: Any) -> str:
        """Return what a point is recorded under."""
        return uniform_name(trial.hyperparameters.values[_BITS])

    def run_trial(self, trial: Any, *_: Any, **__: Any) -> dict[str, float]:
        """Train, score and record one point."""
        params, runner = self.params, self.runner
        quantizers = uniform_quantizers(
            params, runner.trainer.cell, trial.hyperparameters.values[_BITS]
        )
        settings = QatSettings(
            params.epochs, params.batch_size, params.learning_rate, params.seed, runner.costs.units
        )
        start = runner.float_weights if params.transfer_weights else None
        name = self.name_of(trial)
        return metrics_of(runner.run(name, quantizers, settings, start, name))


def _widest(config: Mapping[str, Mapping[str, int]], kind: str, of_gates: bool) -> str:
    """Return the quantiser with the most bits; of LSTM and GRU the activation is a tanh."""
    entries = config.get(kind)
    if not entries:
        raise SearchSpaceError(
            f"search.quantization_config.{kind}: missing or empty, but search.uniform_bits needs it"
        )
    fitting = [text for text in entries if text.startswith("quantized_tanh") == of_gates]
    return max(fitting or entries, key=lambda text: entries[text])
