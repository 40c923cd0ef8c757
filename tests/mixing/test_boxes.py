# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError, DataError
from contrib_semiseg.mixing.boxes import (
    BoxMask,
    RatioBoxMask,
    boxes_from_draws,
    boxes_to_mask,
    draw_boxes,
    draw_half_boxes,
    draw_ratio_boxes,
    fit_ratio_box,
)


def test_each_box_flips_so_that_two_cancel():
    boxes = np.array([[[0, 0, 2, 3], [1, 1, 3, 3]]])
    mask = boxes_to_mask(boxes, 4, 5)
    expected = [[1, 1, 1, 0, 0], [1, 0, 0, 1, 0], [0, 1, 1, 1, 0],
                [0, 1, 1, 1, 0]]
    np.testing.assert_array_equal(mask[0, 0], expected)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(boxes_to_mask(boxes, 4, 5, invert=True),
                                  1 - mask)


def test_boxes_by_hand():
    # p = 0.25 + 0.25 * 1 = 0.5, a = 0.5: both sides sqrt(0.5) * sqrt(1/2)
    first, second = np.array([[1.0, 0.0]]), np.array([[0.5, 1.0]])
    corner = np.array([[[0.5, 1.0], [0.0, 0.0]]])
    boxes = boxes_from_draws(first, second, corner, 40, 20, low=0.25,
                             high=0.5)
    # second box: height 0.25 * sqrt(1/2) * 40 = 7.07, width 1 * 14.14
    assert boxes.tolist() == [[[10, 10, 20, 10], [0, 0, 7, 14]]]


def test_boxes_lie_inside_for_all_draws():
    draws = draw_boxes(np.random.default_rng(0), 500, 3)
    boxes = boxes_from_draws(*draws, 17, 23, low=0.0, high=1.0)
    assert boxes.min() >= 0
    assert ((boxes[..., :2] + boxes[..., 2:]) <= (17, 23)).all()


def test_mask_depends_on_the_generator_alone():
    draw = BoxMask()
    first, again, other = (draw(np.random.default_rng(s), 30, 40)
                           for s in (0, 0, 1))
    assert first.shape == (1, 30, 40)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_areas_in_the_wrong_order_are_refused():
    with pytest.raises(ArgumentError, match="max_area = 0.5"):
        BoxMask(min_area=0.6)


def test_the_first_box_that_fits_is_taken():
    # Area 50: sides 10 x 5 at ratio 2, 7 x 7 (rounded down) at ratio 1.
    attempts = [(2.0, 6, 0), (2.0, 0, 3), (2.0, 5, 2), (1.0, 0, 0)]
    assert fit_ratio_box(50, iter(attempts), 12, 10) == (2, 5, 10, 5)
    assert fit_ratio_box(50, iter(attempts[3:]), 12, 10) == (0, 0, 7, 7)
    assert fit_ratio_box(50, iter(attempts[:2]), 12, 10) is None


def test_attempts_at_a_box_cover_the_image():
    attempts = draw_ratio_boxes(np.random.default_rng(0), 3, 5, 0.5, 2.0)
    ratio, left, top = zip(*(next(attempts) for _ in range(300)))
    assert set(left) == set(range(5)) and set(top) == set(range(3))
    assert 0.5 <= min(ratio) < 0.55 and 1.95 < max(ratio) <= 2.0


def test_law_of_the_ratio_box():
    op, rng = RatioBoxMask(prob=0.3, min_area=0.1, max_area=0.2, min_ratio=1.0,
                           max_ratio=2.0), np.random.default_rng(0)
    drawn = [op.draw(rng, 60, 90) for _ in range(3000)]
    boxes = np.array([b for b in drawn if b is not None])
    assert abs(len(boxes) / 3000 - 0.3) < 0.03
    top, left, tall, wide = boxes.T
    assert (top + tall <= 60).all() and (left + wide <= 90).all()
    assert (tall * wide <= 0.2 * 5400).all()
    assert ((tall + 1) * (wide + 1) > 0.1 * 5400).all()
    ratio = tall / wide
    assert ratio.min() > 0.94 and ratio.max() < 2.1
    # Every row and column is reached, both first and last ones.
    assert (top.min(), left.min()) == (0, 0)
    assert (top + tall).max() == 60 and (left + wide).max() == 90


def test_ratio_box_masks():
    rng = np.random.default_rng(0)
    full = RatioBoxMask(prob=1.0)(rng, 20, 30)
    assert full.shape == (1, 20, 30) and full.dtype == np.uint8
    rows, columns = full[0].any(axis=1), full[0].any(axis=0)
    np.testing.assert_array_equal(full[0], np.outer(rows, columns))
    assert full.any()
    assert not RatioBoxMask(prob=0.0)(rng, 20, 30).any()
    first, again = (RatioBoxMask(prob=1.0)(np.random.default_rng(5), 40, 40)
                    for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_boxes_that_never_fit_are_an_error_not_a_hang():
    op = RatioBoxMask(prob=1.0, min_area=0.9, max_area=0.9, min_ratio=3.0,
                      max_ratio=4.0)
    with pytest.raises(DataError, match=r"no box .* 20 x 20 .*max_area"):
        op.draw(np.random.default_rng(0), 20, 20)


@pytest.mark.parametrize("options, name", [
    (dict(min_area=0.5), "min_area"), (dict(max_ratio=0.1), "min_ratio"),
    (dict(max_area=1.5), "max_area"), (dict(min_ratio=0), "min_ratio")])
def test_ratio_boxes_refused(options, name):
    with pytest.raises(ArgumentError, match=name):
        RatioBoxMask(**options)


@pytest.mark.parametrize("height, width", [(20, 31), (31, 20), (3, 3), (1, 2),
                                           (2, 1)])
def test_half_boxes_lie_inside_and_cover_a_half(height, width):
    boxes = draw_half_boxes(np.random.default_rng(0), 2000, height, width)
    top, left, tall, wide = boxes.T
    assert boxes.shape == (2000, 4) and boxes.min() >= 0
    assert (top + tall <= height).all() and (left + wide <= width).all()
    assert abs(tall * wide - height * width / 2).max() <= wide.max() / 2
    if width > 2:
        assert set(wide) == set(range(width // 2 + 1, width))
    assert (top.min(), left.min()) == (0, 0)
    assert ((top + tall).max(), (left + wide).max()) == (height, width)
