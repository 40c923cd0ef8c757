# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Colours of batches: known values, laws, and what stays as it is."""

import collections
import colorsys

import numpy as np
import paddle
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.mixing import batch_color
from contrib_semiseg.mixing.batch_color import (
    BatchColorJitter,
    BatchGaussianBlur,
    BatchJitter,
    change_batch,
    gaussian_blur,
    to_hsv,
    to_rgb,
)

# Grey, black, white, the primaries, ties, and one of kornia's wrong pixels.
COLORS = [(.5, .5, .5), (0, 0, 0), (1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1),
          (1, 1, 0), (0, 1, 1), (1, 0, 1), (1, .6, .2), (.2, .3, .1),
          (.1, .2, .9), (.9, .2, .4)]


def pictures(colors=COLORS):
    return paddle.to_tensor(np.array(colors, np.float32).T[None, :, None])


def test_hsv_there_and_back():
    hue, saturation, value = to_hsv(pictures())
    for i, color in enumerate(COLORS):
        h, s, v = colorsys.rgb_to_hsv(*color)
        assert float(saturation[0, 0, 0, i]) == pytest.approx(s, abs=1e-6)
        assert float(value[0, 0, 0, i]) == pytest.approx(v, abs=1e-6)
        if s:
            assert float(hue[0, 0, 0, i]) == pytest.approx(6 * h, abs=1e-5)
    np.testing.assert_allclose(to_rgb(hue, saturation, value), pictures(),
                               atol=1e-6)


def test_amounts_are_those_of_each_image():
    images = paddle.full([2, 3, 1, 1], 0.4)
    amount = paddle.to_tensor([0.5, 2.0]).reshape([2, 1, 1, 1])
    np.testing.assert_allclose(
        batch_color.brightness(images, amount)[:, 0, 0, 0], [0, 1], atol=1e-6)
    np.testing.assert_allclose(
        batch_color.contrast(images, amount)[:, 0, 0, 0], [0.2, 0.8],
        rtol=1e-6)
    red = pictures([(1, 0, 0)])
    third = paddle.full([1, 1, 1, 1], 1 / 3)
    np.testing.assert_allclose(batch_color.hue(red, third),
                               pictures([(0, 1, 0)]), atol=1e-6)
    np.testing.assert_allclose(batch_color.hue(red, -third),
                               pictures([(0, 0, 1)]), atol=1e-6)
    half = paddle.full([1, 1, 1, 1], 0.5)
    np.testing.assert_allclose(batch_color.saturation(red, half),
                               pictures([(1, .5, .5)]), atol=1e-6)


def test_law_of_the_jitter():
    op, rng = BatchColorJitter(saturation=0, hue=0.1), np.random.default_rng(0)
    drawn = [op.draw(rng, [4, 3, 8, 8]) for _ in range(3000)]
    kept = [d for d in drawn if d is not None]
    assert abs(len(kept) / len(drawn) - 0.8) < 0.03
    orders = collections.Counter(d.order for d in kept)
    assert len(orders) == 24
    assert min(orders.values()) > 0.5 * len(kept) / 24
    for i, (low, high) in ((0, (.75, 1.25)), (1, (.75, 1.25)), (3, (-.1, .1))):
        values = np.stack([d.amounts[i] for d in kept])
        assert values.shape == (len(kept), 4)
        assert low <= values.min() and values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 0.02 * (high - low)
        # Each image has its own.
        assert abs(np.corrcoef(values[:, 0], values[:, 1])[0, 1]) < 0.1
    assert all(d.amounts[2] is None for d in kept)


def test_law_of_the_blur():
    op, rng = BatchGaussianBlur(), np.random.default_rng(0)
    drawn = [op.draw(rng, [4, 3, 8, 8]) for _ in range(4000)]
    kept = np.array([d for d in drawn if d is not None])
    assert abs(len(kept) / len(drawn) - 0.5) < 0.03
    assert kept.min() >= 0.15 and kept.max() <= 1.15
    assert abs(kept.mean() - 0.65) < 0.02


def test_nothing_drawn_leaves_the_very_batch():
    images = paddle.randn([2, 3, 8, 8])
    ops = [BatchColorJitter(prob=0), BatchGaussianBlur(prob=0)]
    assert change_batch(images, ops, np.random.default_rng(0), 0.5,
                        0.5) is images
    left = BatchJitter((0, 1, 2, 3), (None,) * 4)
    assert BatchColorJitter().apply(images, left) is images


def test_normalisation_is_undone_and_done_again():
    images = paddle.rand([2, 3, 24, 30])
    mean, std = (np.array(v).reshape([1, 3, 1, 1]).astype("float32")
                 for v in ([.2, .4, .5], [.3, .5, .2]))
    normal = (images - paddle.to_tensor(mean)) / paddle.to_tensor(std)
    op = BatchColorJitter(prob=1)
    rng = np.random.default_rng(3)
    expected = op.apply(images, op.draw(rng, images.shape))
    found = change_batch(normal, [op], np.random.default_rng(3),
                         mean.ravel(), std.ravel())
    np.testing.assert_allclose(
        found * paddle.to_tensor(std) + paddle.to_tensor(mean), expected,
        atol=1e-5)


@pytest.mark.parametrize("height, width", [(7, 9), (33, 12), (41, 64)])
def test_blur_of_any_size_keeps_a_plain_colour(height, width):
    images = paddle.full([1, 3, height, width], 0.7)
    np.testing.assert_allclose(gaussian_blur(images, 1.0), images, rtol=1e-5)


def test_ends_in_disorder_are_refused():
    with pytest.raises(ArgumentError, match="min_sigma"):
        BatchGaussianBlur(min_sigma=2.0)
    with pytest.raises(ArgumentError, match="hue"):
        BatchColorJitter(hue=0.6)
