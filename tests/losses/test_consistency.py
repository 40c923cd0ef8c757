# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Losses on pseudo-labels: what the golden cases do not show."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.losses.consistency import (
    SoftDiceLoss,
    alignment,
    kept_cross_entropy,
    selected_cross_entropy,
    soft_dice,
    weighted_cross_entropy,
    weighted_squares,
)


def logits():
    return paddle.to_tensor(np.log([[[[0.5, 0.25]], [[0.5, 0.75]]]]).astype(
        "float32"))


def flags(*values):
    return paddle.to_tensor(np.array([[values]]))


def test_unselected_pixels_stay_in_the_denominator():
    label = paddle.zeros([1, 1, 2], dtype="int64")
    loss = selected_cross_entropy(logits(), label, flags(True, False),
                                  flags(True, True))
    assert float(loss) == pytest.approx(-np.log(0.5) / 2, rel=1e-6)
    loss = selected_cross_entropy(logits(), label, flags(True, True),
                                  flags(False, True))
    assert float(loss) == pytest.approx(-np.log(0.25), rel=1e-6)


@pytest.mark.parametrize("weight", [0.5, [[[0.5, 0.5]]]])
def test_weights_leave_the_denominator_alone(weight):
    weight = paddle.to_tensor(weight)
    label = paddle.to_tensor([[[0, 255]]])
    loss = weighted_cross_entropy(logits(), label, weight, 255)
    assert float(loss) == pytest.approx(-np.log(0.5) / 4, rel=1e-6)
    target = paddle.to_tensor([[[[0.5, 0.75]], [[0.5, 0.25]]]])
    loss = weighted_squares(logits(), target, weight)
    assert float(loss) == pytest.approx(0.25 / 4, rel=1e-6)


def test_a_target_learns_nothing():
    target = paddle.to_tensor([[[[0.9, 0.75]], [[0.1, 0.25]]]],
                              stop_gradient=False)
    x = logits()
    x.stop_gradient = False
    weighted_squares(x, target, 1.0).backward()
    assert target.grad is None and x.grad.numpy().any()


def test_an_utterly_wrong_pixel_has_its_whole_weighted_loss():
    x = paddle.to_tensor(np.array([[100.0, 0], [300, 0], [200, 0]],
                                  "float32").T[None, :, :, None])
    label = paddle.to_tensor([[[1], [255], [1]]])
    loss = weighted_cross_entropy(x, label, paddle.to_tensor(
        [[[1.0], [1.0], [0.5]]]), 255)
    assert float(loss) == pytest.approx((100 + 100) / 3, rel=1e-6)
    loss = weighted_cross_entropy(x, label.clip(max=1), 2.0)
    assert float(loss) == pytest.approx(2 * 600 / 3, rel=1e-6)


def test_few_kept_pixels_weigh_more():
    label = paddle.to_tensor([[[0, 255]]])
    loss = kept_cross_entropy(logits(), label, flags(True, False))
    # The mean over one pixel, divided by its share of two.
    assert float(loss) == pytest.approx(-2 * np.log(0.5), rel=1e-6)
    z = logits()
    z.stop_gradient = False
    loss = kept_cross_entropy(z, label, flags(False, False))
    loss.backward()
    assert float(loss) == 0 and not z.grad.numpy().any()


def test_sizes_must_agree():
    label = paddle.zeros([1, 2, 2], dtype="int64")
    for loss in (lambda: selected_cross_entropy(logits(), label, None, None),
                 lambda: kept_cross_entropy(logits(), label, None),
                 lambda: soft_dice(logits(), label, None),
                 lambda: weighted_cross_entropy(logits(), label, 1.0),
                 lambda: weighted_squares(logits(), paddle.zeros(
                     [1, 2, 2, 2]), 1.0)):
        with pytest.raises(ValueError, match="upsample"):
            loss()


def test_dice_of_two_pixels():
    label = paddle.to_tensor([[[0, 1]]])
    first = 1 - 2 * 0.5 / (0.25 + 0.0625 + 1)
    second = 1 - 2 * 0.75 / (0.25 + 0.5625 + 1)
    loss = soft_dice(logits(), label, flags(True, True))
    assert float(loss) == pytest.approx((first + second) / 2, abs=1e-4)
    assert float(soft_dice(logits(), label, flags(False, False))) == 0
    ignored = SoftDiceLoss()(logits(), paddle.to_tensor([[[0, 255]]]))
    assert float(ignored) == pytest.approx(float(
        soft_dice(logits(), label, flags(True, False))))


def test_alignment_knows_neither_scale_nor_shift():
    a = paddle.randn([2, 4, 3, 3])
    assert float(alignment(a, 3 * a + 1)) == pytest.approx(0, abs=1e-6)
    # Correlation -1: 2 (C - 1) / C * 2.
    assert float(alignment(a, -a)) == pytest.approx(3.0, rel=1e-4)
    half = paddle.zeros([2, 3, 3], dtype="bool")
    half[:, 0] = True
    b = paddle.concat([a[:, :, :1], paddle.randn([2, 4, 2, 3])], axis=2)
    assert float(alignment(a, b, used=half)) == pytest.approx(0, abs=1e-6)
    assert float(alignment(a, b)) > 0.1
