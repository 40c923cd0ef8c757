# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Blotches: their law, their filter, and images smaller than it."""

import numpy as np
import pytest

from contrib_semiseg.mixing.cow import cow_mask, draw_cow, smoothing


def test_law_of_sigma():
    rng = np.random.default_rng(0)
    drawn = [draw_cow(rng, 2, 3) for _ in range(4000)]
    logs = np.log([sigma for _, sigma in drawn])
    assert np.log(8) <= logs.min() and logs.max() <= np.log(32)
    assert abs(logs.mean() - np.log(16)) < 0.03
    assert abs(logs.std() - np.log(4) / np.sqrt(12)) < 0.02
    noise = np.stack([noise for noise, _ in drawn])
    assert noise.shape == (4000, 2, 3)
    assert abs(noise.mean()) < 0.03 and abs(noise.std() - 1) < 0.03


@pytest.mark.parametrize("size, sigma", [(9, 1.0), (3, 8.0), (1, 2.0)])
def test_the_filter_mirrors_at_the_border(size, sigma):
    matrix = smoothing(size, sigma)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    line = np.random.default_rng(0).normal(size=size)
    radius = int(4 * sigma + 0.5)
    padded = np.pad(line, radius, mode="symmetric")
    weights = np.exp(-np.arange(-radius, radius + 1)**2 / (2 * sigma**2))
    np.testing.assert_allclose(matrix @ line, np.convolve(
        padded, weights / weights.sum(), mode="valid"), atol=1e-12)


def test_share_of_the_mask():
    noise = np.random.default_rng(0).normal(size=(96, 96))
    for share in (0.3, 0.5):
        mask = cow_mask(noise, 4.0, share)
        assert mask.dtype == np.uint8
        assert abs(1 - mask.mean() - share) < 0.06
