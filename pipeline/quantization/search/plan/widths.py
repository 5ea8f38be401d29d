"""``tune_filters``: which layers may change their width, and to what.

AutoQKeras multiplies the filters of convolutions and the units of Dense layers
by a factor: one for each layer (``layer``) or one for the network (``block``).
Here the recurrent layer has units to tune. The Dense output layer is as wide as
the answer and never changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.params.network import SearchParams
from pipeline.quantization.search.plan.space import FILTERS, Layer
from pipeline.quantization.training.resizing import scaled_units


def filter_names(params: SearchParams, layers: Iterable[Layer]) -> list[str]:
    """Return the decisions on widths, by AutoQKeras' names.

    Parameters
    ----------
    params
        The ``search`` section; as upstream, exceptions are searched for in the
        name of a layer (``re.search``). null excepts none.
    layers
        The layers that are searched.
    """
    exceptions = params.tune_filters_exceptions
    tuned = [
        layer.name
        for layer in layers
        if layer.recurrent and not (exceptions is not None and re.search(exceptions, layer.name))
    ]
    if params.tune_filters == "none" or not tuned:
        return []
    if params.tune_filters == "block":
        return [FILTERS]
    return [f"{FILTERS}_{name}" for name in tuned]


def chosen_units(values: Mapping[str, Any], units: int) -> int:
    """Return the recurrent layer's width for one set of decisions.

    Parameters
    ----------
    values
        keras-tuner's values by name.
    units
        Width of the float network.
    """
    factors = [value for name, value in values.items() if name.startswith(FILTERS)]
    return scaled_units(units, factors[0]) if factors else units
