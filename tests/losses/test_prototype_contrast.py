# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Masks, places, means and the contrast itself, by hand."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.losses.prototype_contrast import (
    class_masks,
    class_means,
    class_pixels,
    class_ranks,
    contrast_masks,
    nearest,
    negative_masks,
    pixel_rows,
    prototype_contrast,
)


def test_nearest_takes_the_pixel_before():
    # 33 to 9 rows: 3 * 33 / 9 is exactly 11.
    x = paddle.arange(33 * 4).reshape([1, 33, 4])
    rows = nearest(x, (9, 3))[0].numpy() // 4
    assert rows[:, 0].tolist() == [0, 3, 7, 11, 14, 18, 22, 25, 29]
    assert nearest(x, (33, 3))[0, 0].tolist() == [0, 1, 2]


def test_merged_masks_stand_in_the_first_image():
    label = paddle.to_tensor([[[0, 1, 255, 2]], [[1, 255, 2, 2]]])
    apart = class_masks(label, 3).numpy().astype(int)
    assert apart[0, :, 0].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0],
                                       [0, 0, 0, 1]]
    assert apart[1, :, 0].tolist() == [[0, 0, 0, 0], [1, 0, 0, 0],
                                       [0, 0, 1, 1]]
    merged = class_masks(label, 3, merged=True).numpy().astype(int)
    assert merged[0, :, 0].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0],
                                        [0, 0, 0, 1]]
    assert not merged[1].any()
    other = class_masks(paddle.to_tensor([[[0, 9]]]), 2, 9).numpy()
    assert other[0, :, 0].tolist() == [[True, False], [False, False]]


def test_labelled_and_unlabelled_images_are_merged_apart():
    label, pseudo = paddle.zeros([1, 2, 2], "int64"), paddle.ones(
        [2, 2, 2], "int64")
    found = paddle.to_tensor([[[0., 1.], [2., 3.]], [[4., 5.], [6., 7.]]])
    masks, low, high = contrast_masks(
        label, pseudo, found, (paddle.to_tensor(1.), paddle.to_tensor(6.)),
        (2, 2), num_classes=2, merged=True)
    assert masks.numpy().any(axis=(2, 3)).tolist() == [
        [True, False], [False, True], [False, False]]
    assert low.numpy().sum(axis=(1, 2, 3)).tolist() == [4, 2, 0]
    assert high.numpy().sum(axis=(1, 2, 3)).tolist() == [4, 0, 2]


def test_places_follow_image_row_and_column():
    rng = np.random.default_rng(0)
    masks = rng.random((2, 4, 3, 5)) < 0.3
    masks[:, 2] = False
    features = rng.normal(size=(2, 6, 3, 5)).astype("float32")
    rows = pixel_rows(paddle.to_tensor(features)).numpy()
    found = class_pixels(paddle.to_tensor(masks))
    assert len(found) == 4 and found[2].shape == [0]
    for c, places in enumerate(found):
        expected = [features[i, :, y, x] for i, y, x in
                    zip(*np.nonzero(masks[:, c]))]
        np.testing.assert_array_equal(rows[places.numpy()],
                                      np.reshape(expected, (-1, 6)))
    nothing = class_pixels(paddle.zeros([1, 2, 3, 3], "bool"))
    assert [len(places) for places in nothing] == [0, 0]


def test_negatives_of_both_rules():
    # Ranks of classes 0, 1, 2 are 2, 0, 1 in every pixel.
    probability = paddle.to_tensor([0.1, 0.6, 0.3]).reshape([1, 3, 1, 1])
    probability = probability.expand([2, 3, 1, 2])
    assert class_ranks(probability)[0, :, 0, 0].tolist() == [2, 0, 1]
    # Labelled: classes 2 and 0. Unlabelled: 0 and 1, the second not high.
    masks = class_masks(paddle.to_tensor([[[2, 0]], [[0, 1]]]), 3)
    high = paddle.to_tensor([[[[True, True]]], [[[True, False]]]])

    def found(**options):
        rows = negative_masks(probability, masks, high, 1, **{
            "low_rank": 1, "high_rank": 3, **options}).numpy()
        return rows[:, :, 0].astype(int).tolist()

    nothing = [[0, 0]] * 3
    assert found() == [nothing, [[1, 0], [0, 0], [0, 0]]]
    assert found(high_rank=2) == [nothing, nothing]
    # Class 1 is first everywhere, and no labelled pixel's own.
    assert found(by_label=False) == [[[0, 0], [1, 1], [0, 0]],
                                     [[1, 0], [0, 0], [1, 0]]]
    assert found(by_label=False, largest=0.3) == [
        nothing, [[1, 0], [0, 0], [0, 0]]]


def test_the_mean_of_no_pixel_is_zero():
    features = paddle.to_tensor([[[[1., 2., 6.]], [[0., 4., 8.]]]])
    masks = paddle.to_tensor([[[[True, False, True]], [[False] * 3]]])
    assert class_means(features, masks).tolist() == [[3.5, 4], [0, 0]]


def test_contrast_by_hand():
    anchor = paddle.to_tensor([[2., 0.], [0., 3.]])
    anchor.stop_gradient = False
    mean, other = paddle.to_tensor([5., 0.]), paddle.to_tensor(
        [[[0., 1.], [1., 0.]], [[0., 2.], [0., -1.]]])
    mean.stop_gradient = other.stop_gradient = False
    loss = prototype_contrast(anchor, mean, other, 0.5)
    e = np.exp(2)
    expected = (-np.log(e / (e + 1 + e)) -
                np.log(1 / (1 + e + np.exp(-2)))) / 2
    assert float(loss) == pytest.approx(expected, rel=1e-6)
    loss.backward()
    assert anchor.grad.numpy().any()
    assert mean.grad is None and other.grad is None
    zero = prototype_contrast(paddle.zeros([1, 2]), paddle.zeros([2]),
                              paddle.zeros([1, 3, 2]), 0.5)
    assert float(zero) == pytest.approx(np.log(4), rel=1e-6)
