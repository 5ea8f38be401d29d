"""Uniform networks: the network with the same number of bits in all weights and states.

The search has to beat them: its front must lie on or below them. Here is what they
are; `pipeline.quantization.search.trials.uniform_tuner` trains them. Needs no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.base.architecture import INPUT, Architecture
from pipeline.base.errors import PipelineError, Problems
from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.rounding import rounded_network
from pipeline.quantization.search.plan.space import SearchSpaceError, declared_bits
from pipeline.quantization.search.plan.sums import check_sums
from pipeline.quantizers.hardware import check_exportable
from pipeline.quantizers.quantizer import Quantizer, parse_quantizer

_WEIGHTS = "quantized_bits({bits},0,1,alpha='auto_po2')"
_STATE = "quantized_relu({bits},0)"
_SIGNED_STATE = "quantized_bits({bits},1,0,alpha=1)"  # an LSTM's c goes beyond 1


def uniform_networks(
    params: SearchParams, architecture: Architecture
) -> dict[int, dict[str, Quantizer]]:
    """Return the quantizers of every point of ``search.uniform_bits``, by its bits.

    Raises
    ------
    SearchSpaceError
        If a list that they need is missing, or a point could not become firmware
        (`finetune` and `survey` may be asked to build it).
    """
    points, problems = {}, Problems()
    for bits in params.uniform_bits:
        with problems.collected():
            points[bits] = uniform_quantizers(params, architecture, bits)
            try:
                check_exportable(architecture, points[bits])
                of_one = {tensor: [quantizer] for tensor, quantizer in points[bits].items()}
                check_sums(architecture, architecture.units, of_one)
            except PipelineError as error:
                raise SearchSpaceError(f"search.uniform_bits: {bits}: {error}") from None
    problems.raise_as(SearchSpaceError)
    return points


def uniform_quantizers(
    params: SearchParams, architecture: Architecture, bits: int
) -> dict[str, Quantizer]:
    """Return quantizers with `bits` in kernels and state.

    Biases and activations, which cost next to nothing, have the most bits that
    their list in ``quantization_config`` offers, so that only weights and state
    decide how good the point is. A state wider than the activation that it is a copy
    of would hold no more than that: a SimpleRNN's activation has at least `bits`.

    Raises
    ------
    SearchSpaceError
        If such a list is missing.
    """
    state = _SIGNED_STATE if architecture.gated else _STATE
    declared = declared_bits(params)
    texts = {}
    for tensor in architecture.tensors:
        kind = tensor.split("/")[-1]
        if tensor == INPUT:
            texts[tensor] = params.input_quantizer
        elif kind in ("kernel", "recurrent_kernel"):
            texts[tensor] = _WEIGHTS.format(bits=bits)
        elif kind == "state":
            texts[tensor] = state.format(bits=bits)
        else:
            of_gates = architecture.gated and tensor == "rnn/activation"
            texts[tensor] = _widest(declared, kind, of_gates)
            most = declared[kind][texts[tensor]]
            if tensor == "rnn/activation" and not architecture.gated and most < bits:
                texts[tensor] = state.format(bits=bits)
    network = {t: parse_quantizer(text, f"search: {t}") for t, text in texts.items()}
    return rounded_network(params, architecture, network)


def _widest(config: Mapping[str, Mapping[str, int]], kind: str, of_gates: bool) -> str:
    """Return the quantizer with the most bits; of LSTM and GRU the activation is a tanh."""
    entries = config.get(kind)
    if not entries:
        raise SearchSpaceError(
            f"search.quantization_config.{kind}: missing or empty, but search.uniform_bits needs it"
        )
    fitting = [text for text in entries if text.startswith("quantized_tanh") == of_gates]
    return max(fitting or entries, key=lambda text: entries[text])
