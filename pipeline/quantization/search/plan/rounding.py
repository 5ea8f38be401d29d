"""How values between layers are rounded, in every network that a search trains.

``search.rounding`` says where a number half way between two values goes,
``search.round_state_once`` whether the hidden value of a SimpleRNN is rounded twice a step, to
its activation and then to its state. Both end in the quantizers of a network. What is behind the
search reads those alone: a trial is what its quantizers say, whatever the parameters are then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.base.architecture import RNN_LAYER, Architecture
from pipeline.base.errors import Problems
from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.space import Choice, SearchSpaceError
from pipeline.quantizers.hardware import ACTIVATIONS, activation_type
from pipeline.quantizers.quantizer import Quantizer

_ACTIVATION, _STATE = f"{RNN_LAYER}/activation", f"{RNN_LAYER}/state"


def check_cell(params: SearchParams, architecture: Architecture) -> None:
    """Check that the cell can be rounded as the parameters ask.

    Raises
    ------
    SearchSpaceError
        With a line for each parameter that an LSTM or a GRU cannot follow.
    """
    if not architecture.gated:
        return
    problems, cell = Problems(), architecture.cell
    with problems.collected():
        if params.rounding != "half_even":
            raise SearchSpaceError(
                f"search.rounding: {params.rounding}: expected half_even for a cell of type "
                f"{cell}: its tables and hls4ml's templates round half to even"
            )
    with problems.collected():
        if params.round_state_once:
            raise SearchSpaceError(
                f"search.round_state_once: true: expected false for a cell of type {cell}: only a "
                "SimpleRNN's state is its activation, rounded again"
            )
    problems.raise_as(SearchSpaceError)


def check_state(params: SearchParams, choices: Iterable[Choice]) -> None:
    """Check that a state which is the activation too is a ReLU.

    Parameters
    ----------
    params
        The ``search`` section.
    choices
        Decisions with quantizers that hardware can have.

    Raises
    ------
    SearchSpaceError
        With a line for each quantizer of both signs.
    """
    problems = Problems()
    for choice in choices:
        if not {_ACTIVATION, _STATE} <= set(choice.tensors) or not params.round_state_once:
            continue
        for text, quantizer in choice.quantizers.items():
            with problems.collected():
                if activation_type(quantizer, choice.name).signed:
                    raise SearchSpaceError(
                        f"search.round_state_once: {_STATE}: {text}: expected quantizers without "
                        "negative values: the state's is the activation's, which is a ReLU"
                    )
    problems.raise_as(SearchSpaceError)


def rounded_choices(
    params: SearchParams, architecture: Architecture, choices: Iterable[Choice]
) -> list[Choice]:
    """Return the decisions of a search with quantizers that round as the parameters say.

    Names of decisions and of what they choose from stay. Where the state is rounded once, the
    activation of the recurrent layer is decided with it.
    """
    if architecture.gated:  # see `check_cell`
        return list(choices)
    rounded = []
    for choice in choices:
        tensors = choice.tensors
        if params.round_state_once:
            tensors = tuple(tensor for tensor in tensors if tensor != _ACTIVATION)
            tensors += (_ACTIVATION,) if _STATE in tensors else ()
        if not tensors:
            continue
        quantizers = {
            text: _rounded(params, tensors[0], quantizer)
            for text, quantizer in choice.quantizers.items()
        }
        rounded.append(Choice(choice.name, tensors, quantizers))
    return rounded


def rounded_network(
    params: SearchParams, architecture: Architecture, quantizers: Mapping[str, Quantizer]
) -> dict[str, Quantizer]:
    """Return the quantizers of a whole network, by tensor, as `rounded_choices` does."""
    if architecture.gated:
        return dict(quantizers)
    network = {tensor: _rounded(params, tensor, one) for tensor, one in quantizers.items()}
    if params.round_state_once:
        network[_ACTIVATION] = network[_STATE]
    return network


def _rounded(params: SearchParams, tensor: str, quantizer: Quantizer) -> Quantizer:
    if not tensor.endswith(ACTIVATIONS):
        return quantizer
    # Named, it says that the state is the activation: `rounds_state_once`.
    return quantizer.rounded(params.rounding, named=params.round_state_once and tensor == _STATE)
