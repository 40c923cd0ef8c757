# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.mixing.boxes import (
    BoxMask,
    boxes_from_draws,
    boxes_to_mask,
    draw_boxes,
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
