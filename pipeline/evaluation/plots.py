"""Figures of the evaluation: `matplotlib.figure.Figure` objects, no global state.

Every function takes the aligned sample (or profiles of it) and the label of the
data set and returns one figure; call them inside `style.drawing` and hand the
result to `style.save_png`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from pipeline.base.units import MEV_PER_GEV
from pipeline.evaluation.residuals import EventClass, Profile, histogram
from pipeline.evaluation.sample import OFMAX, Sample
from pipeline.evaluation.tables import Metrics
from pipeline.params.evaluation import EvaluateParams
from pipeline.presentation.style import data_label, headroom, looks, note

TRUE_ET = r"$E_\mathrm{T}^\mathrm{true}$"
RESIDUAL = r"$E_\mathrm{T}^\mathrm{reco} - E_\mathrm{T}^\mathrm{true}$"


def residual_distribution(
    sample: Sample, group: EventClass, content: Metrics, params: EvaluateParams, label: str
) -> Figure:
    """Draw the distribution of the residual in one class, logarithmic, as shares."""
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.subplots()
    # From half a BC upwards, so that a bin with a single BC still shows. Set before
    # anything is drawn: a logarithmic axis cannot scale itself to an empty class.
    low = 0.5 / max(int(np.count_nonzero(group.mask)), 1)
    axes.set_yscale("log")
    axes.set_ylim(low, 1)
    headroom(axes, 1.25)
    for name, look in looks(list(sample.residual_mev)).items():
        edges, fraction = histogram(
            sample.residual_mev[name][group.mask],
            params.residual_range_mev,
            params.residual_bin_mev,
        )
        rmse = content[name][group.name].get("rmse_mev")
        title = look.title if rmse is None else f"{look.title}, RMSE {rmse:.1f} MeV"
        axes.stairs(fraction, edges, color=look.colour, linestyle=look.line, lw=1.6, label=title)
    axes.set_xlim(-params.residual_range_mev, params.residual_range_mev)
    axes.set_xlabel(f"{RESIDUAL} [MeV]")
    axes.set_ylabel(f"Fraction of BCs / {params.residual_bin_mev:g} MeV")
    data_label(axes, label)
    note(axes, _selection(group))
    axes.legend(loc="upper right")
    return figure


def resolution_by_class(sample: Sample, content: Metrics, label: str) -> Figure:
    """Draw RMSE, 68 % and 98 % width by class of true E_T, one panel each."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = figure.subplots(1, 3)
    named = looks(list(content))
    for axes, key, title in zip(
        panels,
        ("rmse_mev", "width68_mev", "width98_mev"),
        ("RMSE [MeV]", "68 % half-width [MeV]", "98 % half-width [MeV]"),
        strict=True,
    ):
        for offset, (name, look) in zip(
            np.linspace(-0.24, 0.24, len(named)), named.items(), strict=True
        ):
            points = [
                (k + offset, content[name][group.name][key])
                for k, group in enumerate(sample.by_energy)
                if key in content[name][group.name]
            ]
            x, y = zip(*points, strict=True) if points else ((), ())
            # A width of 0 (OFMax without a deposit) lies on the frame: not clipped.
            axes.plot(
                x,
                y,
                ls="none",
                ms=6,
                mew=1.5,
                clip_on=False,
                zorder=3,
                label=look.title,
                **look.points,
            )
        axes.set_ylabel(title)
        axes.set_xlim(-0.5, len(sample.by_energy) - 0.5)
        axes.set_ylim(bottom=0)
        axes.set_xticks(range(len(sample.by_energy)), [g.title for g in sample.by_energy])
        axes.tick_params(axis="x", labelsize=8.5, rotation=30)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel(TRUE_ET)
    data_label(panels[0], label)
    headroom(panels[0], 1.45)
    panels[0].legend(loc="upper left")
    return figure


def resolution_by_gap(
    profiles: Mapping[str, Profile], edges_bc: list[int], selection: str, label: str
) -> Figure:
    """Draw RMSE, 68 % width and median against the gap; dots mark the gap classes."""
    figure = Figure(figsize=(6.4, 7.2), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    for name, look in looks(list(profiles)).items():
        bins = profiles[name]
        # Bins hold whole BCs, low to high - 1: the middle is half a BC further down.
        centre = bins.centre - 0.5
        for axes, values in zip(panels, (bins.rmse, bins.width68, bins.median), strict=True):
            axes.plot(centre, values, lw=1, ls=look.line, ms=4.5, label=look.title, **look.points)
    for axes in panels:
        for edge in edges_bc:
            axes.axvline(edge + 0.5, color="0.6", lw=0.8, ls=":", zorder=0)
    panels[0].set_ylabel("RMSE [MeV]")
    panels[1].set_ylabel("68 % half-width [MeV]")
    panels[2].set_ylabel("Median residual [MeV]")
    panels[0].set_ylim(bottom=0)
    panels[1].set_ylim(bottom=0)
    panels[2].axhline(0, color="black", lw=0.8, zorder=0)
    ends = [float(np.max(bins.high, initial=0)) for bins in profiles.values()]
    panels[2].set_xlim(0, max([edges_bc[-1] + 1, *ends]))
    panels[2].set_xlabel(f"BCs since the previous deposit {selection}")
    data_label(panels[0], label)
    headroom(panels[0], 1.4)
    panels[0].legend(loc="upper right", ncols=2)
    return figure


def response(profiles: Mapping[str, Profile], label: str) -> Figure:
    """Draw median, 68 % and 98 % band of the residual against true E_T, a panel each.

    All panels share one axis, made for the networks: the 98 % band of OFMax, which
    misses deposits altogether, may leave the frame.
    """
    rows = (len(profiles) + 1) // 2
    figure = Figure(figsize=(8.4, 1.2 + 2.6 * rows), layout="constrained")
    panels = figure.subplots(rows, 2, sharex=True, sharey=True, squeeze=False)
    for axes, (name, look) in zip(panels.flat, looks(list(profiles)).items(), strict=False):
        bins = profiles[name]
        x = bins.centre / MEV_PER_GEV
        axes.fill_between(x, bins.q01, bins.q99, color=look.colour, alpha=0.22, lw=0, label="98 %")
        axes.fill_between(x, bins.q16, bins.q84, color=look.colour, alpha=0.5, lw=0, label="68 %")
        axes.plot(x, bins.median, color="black", lw=1.2, marker="o", ms=3, label="Median")
        axes.axhline(0, color="black", lw=0.8, ls=":")
        axes.legend(loc="lower right", ncols=3, columnspacing=1.2)
        note(axes, look.title)
    reach = _reach(profiles)
    panels[0, 0].set_ylim(-reach, reach)
    panels[0, 0].set_xlim(left=0)
    for axes in panels[-1]:
        axes.set_xlabel(f"{TRUE_ET} [GeV]")
    for axes in panels[:, 0]:
        axes.set_ylabel(f"{RESIDUAL} [MeV]")
    data_label(panels[0, 0], label)
    return figure


def _reach(profiles: Mapping[str, Profile]) -> float:
    """Largest residual to show, MeV: all of the networks' bands, the 68 % of OFMax."""
    bands = [
        band
        for name, bins in profiles.items()
        for band in ((bins.q16, bins.q84) if name == OFMAX else (bins.q01, bins.q99))
    ]
    largest = max((float(np.max(np.abs(band), initial=0)) for band in bands), default=0)
    return 1.4 * largest or 1.0


def stretch(sample: Sample, start_bc: int, length_bc: int, label: str) -> Figure:
    """Draw consecutive BCs: truth, digitised samples and every reconstruction.

    A stretch that reaches beyond the split is moved back to its end, and
    shortened if the split is shorter than the stretch.
    """
    n = sample.true_mev.size
    first = min(max(start_bc - sample.first_bc, 0), max(n - length_bc, 0))
    cut = slice(first, min(first + length_bc, n))
    bc = np.arange(cut.start, cut.stop) + sample.first_bc
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
    above.bar(bc, sample.true_mev[cut] / MEV_PER_GEV, width=0.8, color="0.78", label=TRUE_ET)
    above.plot(
        bc,
        sample.dig_mev[cut] / MEV_PER_GEV,
        color="black",
        lw=0.9,
        marker=".",
        ms=3.5,
        zorder=3,
        label="Digitised samples",
    )
    for name, look in looks(list(sample.reco_mev)).items():
        values = sample.reco_mev[name][cut]
        # OFMax is 0 except at its maxima: drawn there only.
        shown = values != 0 if name == OFMAX else np.ones_like(values, np.bool_)
        above.plot(
            bc[shown],
            values[shown] / MEV_PER_GEV,
            ls="none",
            ms=4.5,
            label=look.title,
            **look.points,
        )
        below.plot(bc, sample.residual_mev[name][cut], color=look.colour, ls=look.line, lw=1.2)
    below.axhline(0, color="black", lw=0.8, zorder=0)
    above.set_ylabel(r"$E_\mathrm{T}$ [GeV]")
    below.set_ylabel("Residual [MeV]")
    below.set_xlabel("BC number")
    below.set_xlim(bc[0] - 1, bc[-1] + 1)
    below.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
    data_label(above, label)
    headroom(above, 1.3)
    above.legend(loc="upper right", ncols=3)
    return figure


def _selection(group: EventClass) -> str:
    return "All BCs" if group.name == "all" else f"{TRUE_ET} {group.title}"
