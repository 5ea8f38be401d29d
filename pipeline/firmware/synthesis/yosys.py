"""Synthesis with Yosys: area by family, and the netlist simulated against the integer model.

Yosys comes as a Python package, so its version is fixed by the lock and a figure can be
repeated; an older one on ``PATH`` is not used.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from pipeline.base.errors import PipelineError
from pipeline.firmware.processes import copied, run_tool
from pipeline.firmware.synthesis.route_through import hidden_luts

_DRIVER = """\
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in open(sys.argv[1], encoding="utf-8").read().splitlines():
    libyosys.run_pass(command, design)
"""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.s?v)?")
_NOT_IN_A_PATH = "\"';\n"  # ABC puts the working directory into a script of its own
_IGNORED = ("$scopeinfo",)

STATISTICS, NETLIST, FLAT = "statistics.json", "netlist.json", "flat.v"


class SynthesisError(PipelineError):
    """Yosys failed, took too long, or counted something unknown."""


@dataclass(frozen=True)
class Family:
    """A family of FPGAs as Yosys knows it.

    Attributes
    ----------
    name
        Key in metrics and parameters.
    title
        Words for the report.
    command
        Yosys' synthesis command, without the top module.
    models
        Yosys' own simulation models of the family's cells.
    resources
        Cell types by resource; a type belongs to the first prefix that fits, and
        counts for several resources where it stands in several.
    weights
        Units of the resource in one cell, by type; 1 where not named.
    """

    name: str
    title: str
    command: str
    models: tuple[str, ...]
    resources: Mapping[str, tuple[str, ...]]
    weights: Mapping[str, int]


_INTEL_MODELS = tuple(f"+/intel_alm/common/{name}_sim.v" for name in ("alm", "dff", "mem", "misc"))

FAMILIES = {
    family.name: family
    for family in (
        Family(
            "xcup",
            "AMD UltraScale+",
            "synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
            ("+/xilinx/cells_sim.v",),
            {
                "lut": ("LUT", "SRL", "RAM32", "RAM64"),
                "lut_as_shift_register": ("SRL",),
                "ff": ("FD",),
                "carry": ("CARRY",),
                "dsp": ("DSP",),
                "bram": ("RAMB",),
                "inverter": ("INV",),
                "mux": ("MUXF",),
            },
            {},
        ),
        Family(
            "cyclonev",
            "Intel ALM (Cyclone V cells)",
            "synth_intel_alm -family cyclonev -noiopad -noclkbuf",
            _INTEL_MODELS,
            {
                "lut": ("MISTRAL_ALUT", "MISTRAL_MLAB"),
                "ff": ("MISTRAL_FF",),
                "carry": ("MISTRAL_ALUT_ARITH",),
                "dsp": ("MISTRAL_MUL",),
                "bram": ("MISTRAL_M10K", "MISTRAL_M20K"),
                "inverter": ("MISTRAL_NOT",),
            },
            {},
        ),
        Family(
            "ecp5",
            "Lattice ECP5",
            "synth_ecp5",
            ("+/ecp5/cells_sim.v",),
            {
                "lut": ("LUT4", "CCU2C", "TRELLIS_DPR16X4"),
                "ff": ("TRELLIS_FF",),
                "carry": ("CCU2C",),
                "dsp": ("MULT18X18D", "ALU54B"),
                "bram": ("DP16KD", "PDPW16KD"),
                "mux": ("PFUMX", "L6MUX21"),
            },
            {"CCU2C": 2, "TRELLIS_DPR16X4": 4},
        ),
    )
}


@dataclass(frozen=True)
class Synthesis:
    """A module after synthesis by Yosys.

    Attributes
    ----------
    family
        For what.
    version
        Yosys' version.
    resources
        Units of each resource of the family; for UltraScale+ also what
        `pipeline.firmware.synthesis.route_through` finds, which is in none of the others.
    flat
        The netlist as plain Verilog, every cell replaced by its simulation model; None if
        it was not asked for.
    netlist
        The netlist as JSON, for nextpnr.
    """

    family: Family
    version: str
    resources: dict[str, int]
    flat: Path | None
    netlist: Path


def yosys_version() -> str:
    """Version of the Yosys package.

    Raises
    ------
    SynthesisError
        If it is not installed.
    """
    try:
        return metadata.version("pyosys")
    except metadata.PackageNotFoundError:
        raise SynthesisError("pyosys: not installed; synthesis needs it") from None


def synthesize(
    files: Sequence[Path],
    top: str,
    family: Family,
    work: Path,
    timeout_s: float,
    *,
    flat: bool = True,
) -> Synthesis:
    """Synthesise a module.

    Parameters
    ----------
    files
        All Verilog of the module.
    top
        Its name, an identifier.
    family
        One of `FAMILIES`.
    work
        A new directory, for the files that Yosys reads and writes.
    timeout_s
        Seconds after which Yosys is stopped.
    flat
        Whether to write the netlist for a simulation, too, which takes some seconds.

    Raises
    ------
    SynthesisError
        Quoting Yosys' error, or naming the time; or, before anything is written, for a
        name that could be more than one in a script.
    """
    version = yosys_version()
    for name in (top, *(path.name for path in files)):
        if not _NAME.fullmatch(name):
            raise SynthesisError(f"expected a name {_NAME.pattern} for Yosys, found {name!r}")
    if set(str(work.resolve())) & set(_NOT_IN_A_PATH):
        raise SynthesisError(
            f"TMPDIR: expected a path without quotes and semicolons, which Yosys cannot take, "
            f"found {str(work.resolve())!r}"
        )
    work.mkdir(parents=True)
    script = [
        "read_verilog -sv " + " ".join(copied(files, work)),
        f"{family.command} -top {top}",
        f"tee -q -o {STATISTICS} stat -json -top {top}",
        f"write_json {NETLIST}",
    ]
    if flat:
        script += [
            "techmap -autoproc " + " ".join(f"-map {model}" for model in family.models),
            "clean -purge",
            f"write_verilog -noattr {FLAT}",
        ]
    (work / "script.ys").write_text("\n".join(script) + "\n", encoding="utf-8")
    run_tool(
        f"Yosys for {family.name}",
        [sys.executable, "-I", "-c", _DRIVER, "script.ys"],
        work,
        timeout_s,
        SynthesisError,
    )
    statistics = json.loads((work / STATISTICS).read_text(encoding="utf-8"))
    cells = statistics["design"]["num_cells_by_type"]
    resources = count(cells, family)
    if family.name == "xcup":
        netlist = json.loads((work / NETLIST).read_text(encoding="utf-8"))
        resources |= hidden_luts(netlist["modules"][top])
    simulated = work / FLAT if flat else None
    return Synthesis(family, version, resources, simulated, work / NETLIST)


def count(cells: Mapping[str, int], family: Family) -> dict[str, int]:
    """Units of each resource from cells by type.

    Raises
    ------
    SynthesisError
        For a type that belongs to no resource: nothing goes uncounted.
    """
    resources = dict.fromkeys(family.resources, 0)
    for cell, number in cells.items():
        if cell in _IGNORED:
            continue
        fitting = [
            resource for resource, prefixes in family.resources.items() if cell.startswith(prefixes)
        ]
        if not fitting:
            raise SynthesisError(f"Yosys for {family.name} used {cell}, which is not counted here")
        for resource in fitting:
            weight = 1 if resource == "carry" else family.weights.get(cell, 1)
            resources[resource] += number * weight
    return resources
