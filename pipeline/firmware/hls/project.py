"""An hls4ml project for AMD's or Intel's compilers, the same bytes for the same network.

hls4ml's ModelGraph is built from a layer list, without Keras. The project is
written through hls4ml's own writer, less two things: the random library stamp,
and ``hls4ml_config.yml``, which holds an absolute path (and whose writing
imports Keras). The tables of functions, which NumPy computes for Intel's projects, are cut
to ten digits: their last ones depend on the processor.
"""

from __future__ import annotations

import math
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pipeline.base.errors import PipelineError
from pipeline.base.fixed_point_type import FixedPointType
from pipeline.firmware.hls.gated_graph import build_gated_graph
from pipeline.firmware.hls.gated_templates import repair_templates
from pipeline.firmware.hls.graph import HlsGraph, build_graph, refuse_recurrent
from pipeline.firmware.hls.templates.power_of_two import FUNCTION, add_header
from pipeline.firmware.hls.weights import WeightFiles, check_weights
from pipeline.integers.network import IntegerNetwork
from pipeline.params.firmware import SynthesizeParams

Backend = Literal["Vitis", "Vivado", "Quartus", "oneAPI"]

STAMP = "simulation"

# A precision that no network uses: seeing it in the graph means that hls4ml did
# not take over one of ours.
_SENTINEL = "fixed<97,3>"
_NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
_WRITERS = {
    "Vitis": ("vitis_writer", "VitisWriter"),
    "Vivado": ("vivado_writer", "VivadoWriter"),
    "Quartus": ("quartus_writer", "QuartusWriter"),
    "oneAPI": ("oneapi_writer", "OneAPIWriter"),
}


class HlsProjectError(PipelineError):
    """An HLS project that cannot be written as asked."""


@dataclass(frozen=True)
class Target:
    """Whose compiler a project is for.

    Attributes
    ----------
    params
        The ``synthesize`` section: devices, clock, names.
    backend
        ``Vitis``, ``Vivado`` (AMD), ``Quartus`` (Intel HLS) or ``oneAPI`` (Intel).
    """

    params: SynthesizeParams
    backend: Backend

    @property
    def intel(self) -> bool:
        """Whether it is one of Intel's."""
        return self.backend in ("Quartus", "oneAPI")

    @property
    def part(self) -> str:
        """The device."""
        return self.params.intel_part if self.intel else self.params.part


def write_project(
    network: IntegerNetwork, target: Target, directory: Path, save_outputs: bool = False
) -> HlsGraph:
    """Write the project into a new or empty directory.

    Parameters
    ----------
    network
        The network as integers.
    target
        Compiler, device, clock, names.
    directory
        Where to; must not hold files. Half a project is removed on failure.
    save_outputs
        Also write calls that save every layer's output; `pipeline.firmware.hls.layer_outputs`
        reads there which array belongs to which layer.

    Returns
    -------
    The graph, unrolled unless its cell has gates.

    Raises
    ------
    HlsProjectError, HlsGraphError, AccumulatorError, FixedPointError
        If `directory` is in use, or hls4ml changed a type.
    HlsWeightsError
        If a weight that hls4ml wrote is not the network's.
    """
    if network.exact:
        graph = build_graph(network)
    else:
        graph = build_gated_graph(network, target.params.gate_table_size, target.intel)
    if directory.exists() and any(directory.iterdir()):
        raise HlsProjectError(f"{directory}: not empty")
    try:
        model = _convert(graph, target, directory, save_outputs)
        _write(model)
        _round_tables(directory)
        firmware = directory / ("src" if target.backend == "oneAPI" else "") / "firmware"
        check_weights(firmware / "weights", graph.layers, _weight_files(model), target.intel)
        repair_templates(directory, graph.recurrent, target.backend)
        if any(layer.get("activation") == FUNCTION for layer in graph.layers):
            add_header(firmware, target.backend)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return graph


def precision_string(of: FixedPointType) -> str:
    """hls4ml's notation of a type: ``fixed<width,integer,rounding,overflow>``.

    A type of powers of two gets the modes that do nothing: what is put in has been rounded.
    """
    kind = "fixed" if of.signed else "ufixed"
    modes = "TRN,WRAP" if of.powers_of_two else f"{of.rounding},{of.overflow}"
    return f"{kind}<{of.bits},{of.bits - of.fraction_bits},{modes}>"


def _convert(graph: HlsGraph, target: Target, directory: Path, save_outputs: bool) -> Any:
    """hls4ml's ModelGraph with every precision set, and checked, explicitly."""
    refuse_recurrent(graph.layers, graph.recurrent)
    with _quiet_import():
        from hls4ml.model import ModelGraph
        from hls4ml.utils.config import create_config
    amd = {
        "clock_uncertainty": f"{target.params.clock_uncertainty_percent:g}%",
        "write_weights_txt": True,  # read by C++ simulation: compiles much faster than headers
    }
    config = create_config(
        output_dir=str(directory),
        project_name=target.params.project_name,
        backend=target.backend,
        part=target.part,
        clock_period=target.params.clock_period_ns,
        io_type="io_parallel",
        write_tar=False,
        **({} if target.intel else amd),
    )
    config["HLSConfig"] = {
        "Model": {
            "Precision": {"default": _SENTINEL},
            "ReuseFactor": 1,
            "Strategy": "Resource" if target.intel else "Latency",
        },
        "LayerName": {
            name: {
                "Precision": {key: precision_string(of) for key, of in types.items()},
                "Trace": save_outputs,
                # hls4ml looks for the type of a table here, not under Precision.
                **({"TableT": precision_string(types["table"])} if "table" in types else {}),
            }
            for name, types in graph.precisions.items()
        },
    }
    config["Stamp"] = STAMP
    config["TraceOutput"] = save_outputs
    model = ModelGraph.from_layer_list(config, [dict(layer) for layer in graph.layers])
    model.apply_flow(model.config.backend.get_default_flow())
    _check(model, graph)
    return model


def _check(model: Any, graph: HlsGraph) -> None:
    """Hls4ml's passes must have kept every layer and type, and added no recurrent one."""
    refuse_recurrent(
        [{"class_name": layer.class_name, "name": layer.name} for layer in model.get_layers()],
        graph.recurrent,
    )
    found = {layer.name: layer for layer in model.get_layers()}
    if list(found) != [layer["name"] for layer in graph.layers]:
        raise HlsProjectError(f"hls4ml changed the layers: {sorted(found)}")
    convert = model.config.backend.convert_precision_string
    for name, types in graph.precisions.items():
        layer = found[name]
        for key, of in types.items():
            if key == "result":
                precision = layer.get_output_variable().type.precision
            elif key in ("accum", "table"):
                precision = layer.get_attr(f"{key}_t").precision
            else:
                precision = layer.get_weights(key).type.precision
            if precision != convert(precision_string(of)):
                raise HlsProjectError(
                    f"hls4ml changed {name}.{key} from {precision_string(of)} to {precision}"
                )


def _write(model: Any) -> None:
    """Write with hls4ml's writer, without its configuration file; see the module docstring."""
    module, name = next(
        found for key, found in _WRITERS.items() if key.lower() == model.config.backend.name.lower()
    )
    writer = getattr(import_module(f"hls4ml.writer.{module}"), name)()
    writer.write_yml = lambda model: None
    writer.write_hls(model)


def _round_tables(directory: Path) -> None:
    """Cut the numbers of hls4ml's function tables (``*.tb``) to ten significant digits.

    NumPy's exp and tanh differ by a last bit between processors with AVX2 and with AVX-512;
    a table's type has 18 bits.
    """
    for file in sorted(directory.rglob("*.tb")):
        head, brace, values = file.read_text(encoding="utf-8").partition("{")
        file.write_text(head + brace + _NUMBER.sub(_ten_digits, values), encoding="utf-8")


def _ten_digits(match: re.Match[str]) -> str:
    rounded = float(f"{float(match[0]):.10g}")
    return repr(rounded) if math.isfinite(rounded) else match[0]


def _weight_files(model: Any) -> WeightFiles:
    """Name each layer's weight files, without suffix, by tensor."""
    return {
        layer.name: {tensor: weight.name for tensor, weight in layer.weights.items()}
        for layer in model.get_layers()
    }


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Import hls4ml without its warnings about optimizers that no flow uses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
