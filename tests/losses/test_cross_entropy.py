# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Cross-entropies against sums written out by hand."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.losses.consistency import (
    kept_cross_entropy,
    selected_cross_entropy,
)
from contrib_semiseg.losses.cross_entropy import (
    CrossEntropyLoss,
    OhemCrossEntropyLoss,
    cross_entropy,
    ohem_cross_entropy,
)


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(2, 4, 5, 6)).astype("float32")
    label = rng.integers(0, 4, size=(2, 5, 6))
    label[0, :2] = 255
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    prob = shifted / shifted.sum(axis=1, keepdims=True)
    index = np.where(label == 255, 0, label)
    true = np.take_along_axis(prob, index[:, None], axis=1)[:, 0]
    return logits, label, -np.log(true), label != 255


def tensors(logits, label):
    return paddle.to_tensor(logits, stop_gradient=False), \
        paddle.to_tensor(label)


def test_mean_runs_over_valid_pixels(data):
    logits, label, ce, valid = data
    value = cross_entropy(*tensors(logits, label), ignore_index=255)
    assert float(value) == pytest.approx(ce[valid].mean(), rel=1e-5)


def test_without_an_ignored_label_every_pixel_counts(data):
    logits, label, ce, _ = data
    label = np.where(label == 255, 0, label)
    value = cross_entropy(*tensors(logits, label))
    assert float(value) == pytest.approx(ce.mean(), rel=1e-5)


def test_class_255_counts_where_no_label_is_ignored():
    logits = paddle.zeros([1, 300, 2, 2])
    label = paddle.full([1, 2, 2], 255, dtype="int64")
    assert float(cross_entropy(logits, label)) == pytest.approx(np.log(300))


@pytest.mark.parametrize("loss", [
    lambda z, y: cross_entropy(z, y, 255),
    lambda z, y: ohem_cross_entropy(z, y, 0.7, 10),
    CrossEntropyLoss(weight=[1.0, 2.0, 1.0, 1.0]),
    CrossEntropyLoss(top_k_percent_pixels=0.5)])
def test_no_valid_pixel_gives_zero_and_a_finite_gradient(data, loss):
    logits, label = tensors(data[0], np.full_like(data[1], 255))
    value = loss(logits, label)
    value.backward()
    assert float(value) == 0.0
    assert not logits.grad.numpy().any()


def test_other_sizes_are_refused(data):
    logits, label = tensors(data[0], data[1][:, 1:])
    with pytest.raises(ValueError, match="upsample the logits first"):
        cross_entropy(logits, label, 255)
    with pytest.raises(ValueError, match="upsample the logits first"):
        ohem_cross_entropy(logits, label, 0.7, 5)


def test_class_weights_divide_by_their_sum(data):
    logits, label, ce, valid = data
    weight = np.array([0.5, 2.0, 1.0, 3.0])
    share = weight[np.where(valid, label, 0)] * valid
    value = CrossEntropyLoss(weight=weight.tolist())(*tensors(logits, label))
    assert float(value) == pytest.approx((ce * share).sum() / share.sum(),
                                         rel=1e-5)


def test_top_k_takes_the_largest_losses(data):
    logits, label, ce, valid = data
    top = np.sort((ce * valid).ravel())[::-1][:ce.size // 4]
    value = CrossEntropyLoss(top_k_percent_pixels=0.25)(
        *tensors(logits, label))
    assert float(value) == pytest.approx(top.mean(), rel=1e-5)


def test_all_pixels_in_the_denominator(data):
    logits, label, ce, valid = data
    value = CrossEntropyLoss(avg_non_ignore=False)(*tensors(logits, label))
    assert float(value) == pytest.approx((ce * valid).mean(), rel=1e-5)


def test_ohem_component_passes_its_arguments(data):
    logits, label, ce, valid = data
    kept = valid & (np.exp(-ce) <= max(
        0.2, np.sort(np.where(valid, np.exp(-ce), 1.0).ravel())[6]))
    value = OhemCrossEntropyLoss(thresh=0.2, min_kept=7)(
        *tensors(logits, label))
    assert float(value) == pytest.approx(ce[kept].mean(), rel=1e-5)


@pytest.mark.parametrize("loss", [
    lambda x, y: cross_entropy(x, y, 255),
    CrossEntropyLoss(weight=[2.0, 2.0, 2.0]),
    lambda x, y: ohem_cross_entropy(x, y, 0.7, 1),
    lambda x, y: selected_cross_entropy(x, y.clip(max=2), y < 3, y < 3),
    lambda x, y: kept_cross_entropy(x, y.clip(max=2), y < 3)])
def test_an_utterly_wrong_pixel_has_its_whole_loss(loss):
    """Paddle's own value stops near 64; the gradient is left as it is."""
    x = paddle.to_tensor(np.array([[100.0, 0, 3], [0, 200, 3]], "float32").T[
        None, :, :, None], stop_gradient=False)
    y = paddle.to_tensor([[[1], [0]]])
    value = loss(x, y)
    np.testing.assert_allclose(float(value), (100 + 200) / 2)
    value.backward()
    np.testing.assert_allclose(x.grad.numpy()[0, :, :, 0],
                               np.array([[1, -1, 0], [-1, 1, 0]]).T / 2,
                               atol=1e-6)


def test_ignored_pixels_do_not_count_where_values_were_cut_off():
    x = paddle.to_tensor(np.array([[100.0, 0], [0, 300]], "float32").T[
        None, :, :, None])
    y = paddle.to_tensor([[[1], [255]]])
    np.testing.assert_allclose(float(cross_entropy(x, y, 255)), 100)
    np.testing.assert_allclose(float(CrossEntropyLoss(weight=[1, 2])(x, y)),
                               100)
