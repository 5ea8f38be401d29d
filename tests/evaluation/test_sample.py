from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.base.files import ArtifactError
from pipeline.evaluation.sample import assemble, gap_profiles, response_profiles


@pytest.mark.parametrize(("length", "lag"), [(5, 5), (5, 3), (5, 0), (30, 5)])
def test_every_window_meets_the_bc_it_reconstructs(split, params, length, lag):
    split = dataclasses.replace(split, window_length=length, target_lag=lag)
    prediction = np.arange(split.n_windows, dtype=np.float32) / 16
    found = assemble(split, {"float": prediction}, params)
    assert found.first_bc == length - lag
    gap, last = {}, None
    for bc in range(split.n_bc):
        gap[bc] = -1 if last is None else bc - last
        last = bc if split.hit_et_gev[bc] >= np.float32(0.24) else last
    for i in (0, 1, split.n_windows // 2, split.n_windows - 1):
        bc = i + length - lag
        assert found.true_gev[i] == split.hit_et_gev[bc]
        assert found.dig_mev[i] == pytest.approx(1e3 * float(split.dig_et_gev[bc]))
        assert found.reco_mev["ofmax"][i] == pytest.approx(1e3 * float(split.ofmax_et_gev[bc]))
        assert found.reco_mev["float"][i] == pytest.approx(1e3 * i)
        assert found.gap[i] == gap[bc]
    np.testing.assert_array_equal(
        found.residual_mev["float"], found.reco_mev["float"] - found.true_mev
    )


def test_gap_classes_count_deposits_of_class_high_only(sample):
    high = sample.energy_class("high").mask
    np.testing.assert_array_equal(sample.counted_in_gaps, high & (sample.gap > 0))


def test_gap_profile_covers_the_same_bcs_as_the_classes(sample):
    bins = gap_profiles(sample, last_bc=20)["float"]
    counted = sample.gap[sample.counted_in_gaps]
    for low, high, count in zip(bins.low, bins.high, bins.count, strict=True):
        assert count == np.count_nonzero((counted >= low) & (counted < high))


def test_response_leaves_out_bcs_without_a_deposit(sample):
    bins = response_profiles(sample, 1000.0)["float"]
    assert bins.low.tolist() == [0, 1000, 2000, 3000, 4000]
    assert bins.count.sum() == np.count_nonzero(sample.true_mev > 0)


def test_refuses_sequences_that_are_not_finite(split, params):
    broken = split.ofmax_et_gev.copy()
    broken[7] = np.nan
    with pytest.raises(ArtifactError, match="test: ofmax_et_gev: not finite"):
        assemble(dataclasses.replace(split, ofmax_et_gev=broken), {}, params)


def test_refuses_a_split_without_windows(split, params):
    short = {
        name: getattr(split, name)[:5]
        for name in ("dig_et_gev", "hit_et_gev", "ofmax_et_gev", "sig_et_gev")
    }
    with pytest.raises(ArtifactError, match="at least 1 window"):
        assemble(dataclasses.replace(split, **short), {}, params)
