"""One window through an HLS project with every layer's output saved.

It is the project itself that runs, with whatever is wrong in it: its sources, copied, get
calls that save the layers' arrays before the top function returns. Only the names of those
arrays come from hls4ml, which writes such calls into a project of its own.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from pipeline.base.arrays import F64, Real
from pipeline.firmware.hls.cpp_simulation import (
    CppSimulation,
    CppSimulationError,
    compile_project,
    require_compiler,
)
from pipeline.firmware.hls.graph import INPUT
from pipeline.firmware.hls.project import Target, write_project
from pipeline.integers.network import IntegerNetwork

_SAVE = re.compile(r'save_layer_output<\w+>\(([\w.]+), "(\w+)", (\d+)\);')
# What the last statement of the top function is followed by: every array lives until there.
_END = {"amd": "}", "intel": "return outputs;"}


def layer_outputs(
    project: Path, network: IntegerNetwork, target: Target, window: Real
) -> dict[str, F64]:
    """Simulate one window (1, length) of a written project and return its tensors.

    Parameters
    ----------
    project
        What `pipeline.firmware.hls.project.write_project` wrote; stays as it is.
    network, target
        What it was written from: they say which tensors there are.
    window
        float32 or float64 (1, window_length), scaled.

    Returns
    -------
    float64 (1, units) by the names of `pipeline.integers.golden.evaluate_tensors`.

    Raises
    ------
    CppSimulationError
        If g++ is missing or refuses the project with the calls in it.
    """
    require_compiler()
    with tempfile.TemporaryDirectory(prefix="layer-outputs-") as temporary:
        reference, copy = Path(temporary) / "reference", Path(temporary) / "project"
        graph = write_project(network, target, reference, save_outputs=True)
        source = Path("firmware") / f"{target.params.project_name}.cpp"
        arrays = _SAVE.findall((reference / source).read_text(encoding="utf-8"))
        shutil.copytree(project, copy)
        _save_arrays(copy / source, arrays, _END["intel" if target.intel else "amd"])
        library = compile_project(copy, network.window_length, target)
        sizes = {INPUT: network.window_length} | {layer: int(n) for _, layer, n in arrays}
        outputs = CppSimulation(library, network.window_length).layer_outputs(window, sizes)
    return {
        golden_name: outputs[name]
        for name, golden_name in graph.golden_names.items()
        if name in outputs
    }


def _save_arrays(source: Path, arrays: list[tuple[str, str, str]], end: str) -> None:
    """Save each array, given as variable, layer and size, where the top function ends.

    Raises
    ------
    CppSimulationError
        If the source has no such end.
    """
    before, last, after = source.read_text(encoding="utf-8").rpartition(end)
    if not last:
        raise CppSimulationError(f"firmware/{source.name}: no {end!r}")
    calls = "".join(
        f'nnet::save_layer_output({variable}, "{layer}", {size});\n'
        for variable, layer, size in arrays
    )
    source.write_text(f"{before}\n{calls}{last}{after}", encoding="utf-8")
