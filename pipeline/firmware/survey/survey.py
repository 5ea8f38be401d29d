"""Several networks built alike: how good each one is, and what its streaming core takes.

A network is what its integers say. The golden model computes its RMSE; the simulated RTL
and the netlist must equal the golden model.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from pipeline.artifacts.survey import StreamCheck, SurveyedNetwork
from pipeline.base.errors import PipelineError
from pipeline.firmware.processes import side_by_side
from pipeline.firmware.rtl.project import verilog_files, write_rtl
from pipeline.firmware.rtl.simulation import check_stream
from pipeline.firmware.rtl.stream_clocks import random_stream
from pipeline.firmware.survey.subjects import Subject, SurveyError
from pipeline.firmware.synthesis.implementation import Core, implement, netlist_clocks
from pipeline.integers import golden
from pipeline.integers.fixed_point import quantize
from pipeline.integers.network import IntegerNetwork
from pipeline.params.firmware import RtlParams, SurveyParams
from pipeline.samples.prepared import Split

_BUILDING = Lock()  # da4ml builds graphs in Python: at the same time it would be no faster


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
    subjects: Sequence[Subject],
    split: Split,
    rtl: RtlParams,
    params: SurveyParams,
    timeout_s: float,
) -> Generator[SurveyedNetwork, None, None]:
    """Survey networks, as many at once as there are processors.

    Yields them as they end. The one with most bits of weights starts first: it takes longest,
    and at the end would leave the other processors idle. See `survey` for parameters.

    Raises
    ------
    SurveyError
        For the first network that fails; see `pipeline.firmware.processes.side_by_side`.
    """
    return side_by_side(
        lambda subject: survey(subject, split, rtl, params, timeout_s),
        sorted(subjects, key=lambda subject: -subject.weight_bits),
    )


def survey(
    subject: Subject, split: Split, rtl: RtlParams, params: SurveyParams, timeout_s: float
) -> SurveyedNetwork:
    """Evaluate a network on a split, write its RTL, simulate and synthesise it.

    Parameters
    ----------
    subject, split
        The network, and the data for its RMSE and the streams.
    rtl
        Clock, cells and depth of the RTL; gaps and seed of the random streams.
    params
        Family, and how many windows are simulated.
    timeout_s
        Seconds for Yosys.

    Raises
    ------
    SurveyError
        Naming the network: if it cannot be built, a tool fails, or the RTL or the
        netlist differs from the integer model.
    """
    try:
        with TemporaryDirectory(prefix="survey-") as temporary:
            return _survey(subject, split, rtl, params, timeout_s, Path(temporary))
    except PipelineError as error:
        raise SurveyError(f"{subject.name}: {error}") from error


def _survey(
    subject: Subject,
    split: Split,
    rtl: RtlParams,
    params: SurveyParams,
    timeout_s: float,
    work: Path,
) -> SurveyedNetwork:
    network, directory = subject.network, work / "rtl"
    rmse_mev = golden_rmse_mev(network, split)
    samples = quantize(split.for_network(network).scaled_samples(), network.input)
    with _BUILDING:
        design = write_rtl(network, rtl, directory)
    gaps, seed = rtl.stream_gap_probability, rtl.stream_seed
    clocks = random_stream(samples, design, params.windows, gaps, seed)
    # So few windows run sooner than an optimised program compiles.
    files = verilog_files(directory, stream=True)
    streamed = check_stream(network, design, files, clocks, optimise=False)
    through_netlist = netlist_clocks(samples, design, params.netlist_windows, seed)
    core = Core(network, design, directory, through_netlist)
    return SurveyedNetwork(
        name=subject.name,
        kind=subject.kind,
        units=subject.units,
        bits=dict(subject.bits),
        weight_bits=subject.weight_bits,
        energy_pj=subject.energy_pj,
        validation_rmse_mev=rmse_mev,
        float32_exact=network.float32_exact,
        design=design,
        stream=StreamCheck(
            n_windows=streamed.windows,
            mismatches=streamed.mismatches,
            max_difference_mev=streamed.max_difference_mev,
        ),
        core=implement(core, params.family, timeout_s, work / "synthesis"),
    )
