"""Several networks built alike: how good each one is, and what its streaming core takes.

A network is what its integers say. The golden model computes its RMSE; the simulated RTL
and the netlist must equal the golden model.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from pipeline.base.errors import PipelineError
from pipeline.firmware.processes import side_by_side
from pipeline.firmware.rtl.project import RtlDesign, RtlOptions, verilog_files, write_rtl
from pipeline.firmware.rtl.simulation import check_stream
from pipeline.firmware.rtl.stream_clocks import random_stream
from pipeline.firmware.survey.subjects import Subject, SurveyError
from pipeline.firmware.synthesis.implementation import (
    Core,
    Implemented,
    ImplementOptions,
    implement,
)
from pipeline.integers import golden
from pipeline.integers.compare import Comparison
from pipeline.integers.fixed_point import quantize
from pipeline.integers.network import IntegerNetwork
from pipeline.samples.prepared import Split

_TRACING = Lock()  # da4ml traces in Python: at the same time it would be no faster


@dataclass(frozen=True)
class SurveyOptions:
    """How every network is built and checked.

    Attributes
    ----------
    rtl
        Clock, cells and depth of the RTL.
    family
        A name in `pipeline.firmware.synthesis.yosys.FAMILIES`.
    windows, netlist_windows
        Windows through the simulated core, and through its netlist.
    gap_probability, seed
        Of the random streams.
    timeout_s
        Seconds for Yosys.
    """

    rtl: RtlOptions
    family: str
    windows: int
    netlist_windows: int
    gap_probability: float
    seed: int
    timeout_s: float


@dataclass(frozen=True)
class Surveyed:
    """What was found of one network.

    Attributes
    ----------
    subject
        The network.
    rmse_mev
        Of the golden model, over all windows of the split.
    float32_exact
        Whether float32, in which QKeras computes, holds every sum of it.
    design
        Its RTL.
    streamed
        The simulated streaming core against the golden model.
    core
        The streaming core after synthesis.
    """

    subject: Subject
    rmse_mev: float
    float32_exact: bool
    design: RtlDesign
    streamed: Comparison
    core: Implemented

    @property
    def latency_ns(self) -> float:
        """From the last sample of a window to its energy, at the stated clock."""
        return self.design.latency_cycles * self.design.clock_period_ns


def golden_rmse_mev(network: IntegerNetwork, split: Split) -> float:
    """RMSE of the golden model on a split, MeV.

    Raises
    ------
    GeometryError
        If the network was made for other windows.
    """
    windows = split.windows(split.for_network(network).scaled_samples())
    return split.rmse_mev(golden.evaluate(network, windows) * split.et_scale_gev)


def survey_all(
    subjects: Sequence[Subject], split: Split, options: SurveyOptions
) -> Generator[Surveyed, None, None]:
    """Survey networks, as many at once as there are processors.

    Yields them as they end. The one with most bits of weights starts first: it takes longest,
    and at the end would leave the other processors idle.

    Raises
    ------
    SurveyError
        For the first network that fails; see `pipeline.firmware.processes.side_by_side`.
    """
    return side_by_side(
        lambda subject: survey(subject, split, options),
        sorted(subjects, key=lambda subject: -subject.weight_bits),
    )


def survey(subject: Subject, split: Split, options: SurveyOptions) -> Surveyed:
    """Evaluate a network on a split, write its RTL, simulate and synthesise it.

    Raises
    ------
    SurveyError
        Naming the network: if it cannot be built, a tool fails, or the RTL or the
        netlist differs from the golden model.
    """
    try:
        with TemporaryDirectory(prefix="survey-") as temporary:
            return _survey(subject, split, options, Path(temporary))
    except PipelineError as error:
        raise SurveyError(f"{subject.name}: {error}") from error


def _survey(subject: Subject, split: Split, options: SurveyOptions, work: Path) -> Surveyed:
    network, rtl = subject.network, work / "rtl"
    rmse_mev = golden_rmse_mev(network, split)
    samples = quantize(split.for_network(network).scaled_samples(), network.input)
    with _TRACING:
        design = write_rtl(network, options.rtl, rtl)
    clocks = random_stream(samples, design, options.windows, options.gap_probability, options.seed)
    # So few windows run sooner than an optimised program compiles.
    files = verilog_files(rtl, stream=True)
    streamed = check_stream(network, design, files, clocks, optimise=False)
    core = implement(
        Core(network, design, rtl, samples),
        options.family,
        ImplementOptions(options.netlist_windows, False, options.seed, options.timeout_s),
        work / "synthesis",
    )
    return Surveyed(subject, rmse_mev, network.float32_exact, design, streamed, core)
