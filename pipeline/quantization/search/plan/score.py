"""What a trial is worth: resolution times the forgiving factor.

AutoQKeras multiplies a metric that grows with quality by ``1 + delta``, where
delta rewards a trial that is cheaper than the reference and punishes a more
expensive one (Coelho et al., Nature Mach. Intell. 3 (2021) 675). Its metrics are for
classification: an error such as "mse" is maximised like an accuracy, which
picks the worst network. Here quality is reference RMSE / trial RMSE: 1 when the
trial resolves as well as the float network, growing as it gets better.
"""

from __future__ import annotations

import math

_HALF = 0.5


def forgiving_delta(
    reference_cost: float,
    trial_cost: float,
    *,
    delta_p: float,
    delta_n: float,
    rate: float,
    stress: float,
) -> float:
    """Return AutoQKeras' delta.

    ``delta = p/100 * log(stress * reference / trial) / log(rate)`` with
    ``p = delta_p`` when the trial is cheaper than the stressed reference and
    ``delta_n`` when it is more expensive: with ``delta_p = 8`` and ``rate = 2``, each
    halving of the cost is worth 8 % of quality.

    Parameters
    ----------
    reference_cost, trial_cost
        Energy (pJ) or size (bits), both in the same unit and above 0.
    delta_p, delta_n
        Reward and punishment in percent.
    rate
        The factor in cost that earns one delta; above 1.
    stress
        Scales the reference: below 1 it asks for cheaper networks.
    """
    if reference_cost <= 0 or trial_cost <= 0:
        raise ValueError(f"costs must be above 0, found {reference_cost} and {trial_cost}")
    ratio = stress * reference_cost / trial_cost
    percent = delta_p if ratio > 1 else delta_n
    return percent / 100 * math.log(ratio) / math.log(rate)


def quality(reference_rmse: float, trial_rmse: float) -> float:
    """Return reference RMSE / trial RMSE, both in one unit and above 0."""
    if not (reference_rmse > 0 and trial_rmse > 0):
        raise ValueError(f"RMSE must be above 0, found {reference_rmse} and {trial_rmse}")
    return reference_rmse / trial_rmse


def forgiving_factor(delta: float) -> float:
    """Return what quality is multiplied by: AutoQKeras' ``1 + delta``, but always above 0.

    For a very expensive trial ``1 + delta`` falls to 0 and below, and the product then rewards
    the worse of two trials. From ``delta = -1/2`` on, where the cost is 76 times the
    reference with 8 % and rate 2, it goes on as ``-1 / (4 delta)``: with the same value and
    slope there, falling with the cost for ever and never 0.
    """
    return 1 + delta if delta > -_HALF else -_HALF * _HALF / delta


def score(reference_rmse: float, trial_rmse: float, delta: float) -> float:
    """Return ``quality * forgiving_factor(delta)``: the number that the search maximises."""
    return quality(reference_rmse, trial_rmse) * forgiving_factor(delta)


def limit_score(
    reference_rmse: float, trial_rmse: float, max_rmse_ratio: float, cost_ratio: float
) -> float:
    """Return what is maximised where a limit on the RMSE replaces the forgiving factor.

    A trial within the limit scores ``1 + cost_ratio``: the cheapest of them
    wins. One beyond it scores ``limit / trial_rmse``, below 1: less than any
    trial within the limit, and the more the nearer it comes.

    Parameters
    ----------
    reference_rmse, trial_rmse
        In one unit and above 0.
    max_rmse_ratio
        The limit, as a multiple of `reference_rmse`.
    cost_ratio
        Reference cost / trial cost, above 0.
    """
    margin = max_rmse_ratio * quality(reference_rmse, trial_rmse)
    return 1 + cost_ratio if margin >= 1 else margin
