# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Two windows: where they lie, what they show, what is refused."""

import numpy as np
import pytest

from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms.crops import CropPair, OverlapCrops, snap


def crops(**changes):
    return OverlapCrops(**{**dict(crop_size=[24, 16], stride=4), **changes})


def iou(op, pair):
    height, width = op.size
    (a, b), (c, d) = pair.corners
    shared = (height - abs(a - c)) * (width - abs(b - d))
    return shared / (2 * height * width - shared)


@pytest.mark.parametrize("value, origin, found", [
    (9, 2, 6), (10, 2, 10), (13, 2, 10), (1, 2, 2), (0, 3, 3), (0, 4, 0),
    (2, 9, 1), (0, 9, 1)])
def test_snapping_keeps_to_the_grid_of_the_origin(value, origin, found):
    assert snap(value, origin, 4) == found
    assert (snap(value, origin, 4) - origin) % 4 == 0


def test_windows_lie_inside_and_overlap_as_they_have_to():
    op, rng = crops(min_iou=0.2, max_iou=0.7), np.random.default_rng(0)
    pairs = [op.draw(rng, 40, 60) for _ in range(400)]
    for pair in pairs:
        for top, left in pair.corners:
            assert 0 <= top <= 40 - 16 and 0 <= left <= 60 - 24
        (a, b), (c, d) = pair.corners
        assert (c - a) % 4 == (d - b) % 4 == 0
        assert 0.2 <= iou(op, pair) <= 0.7
    firsts = np.array([pair.corners[0] for pair in pairs])
    assert firsts.min(axis=0).tolist() == [0, 0]
    assert firsts.max(axis=0).tolist() == [24, 36]
    mirrored = np.array([pair.mirrored for pair in pairs])
    np.testing.assert_allclose(mirrored.mean(axis=0), 0.5, atol=0.1)
    assert 0.15 < (mirrored[:, 0] & mirrored[:, 1]).mean() < 0.35


def test_bounds_that_no_draw_meets_give_the_same_window_twice():
    op, rng = crops(min_iou=0.999, max_iou=0.9995), np.random.default_rng(0)
    asked = []
    op.allows = lambda first, second: bool(asked.append(second))
    pair = op.draw(rng, 40, 60)
    assert len(asked) == 50 and pair.corners[0] == pair.corners[1]
    assert crops(tries=3).second((1, 1), []) == (1, 1)


def test_bounds_are_inclusive():
    # A shift by half of the width: a third in common.
    op = crops(min_iou=1 / 3, max_iou=1 / 3)
    assert op.allows((0, 0), (0, 12)) and not op.allows((0, 0), (0, 8))
    assert not op.allows((0, 0), (0, 16)) and not op.allows((0, 0), (0, 0))
    # Windows apart have nothing in common, however low the bound.
    assert not crops(min_iou=0.0).allows((0, 0), (20, 28))
    assert crops(min_iou=0.0).allows((0, 0), (0, 24))


def test_padding_is_filled_and_no_part_of_the_overlap():
    op = crops(fill=[1, 2, 3])
    image = np.full((9, 30, 3), 200, np.uint8)
    pair = op.draw(np.random.default_rng(1), 9, 30)
    assert {top for top, _ in pair.corners} == {0}
    for view in op.apply(image, pair):
        assert view.shape == (16, 24, 3) and view.dtype == np.uint8
        assert (view[:9] == 200).all() and (view[9:] == [1, 2, 3]).all()
    for place in op.geometry(pair, 9, 30):
        assert place["overlap"][[0, 2]].tolist() == [0, 8]


def test_views_are_mirrored_apart():
    op = crops()
    image = np.arange(16 * 24 * 3).reshape(16, 24, 3)
    first, second = op.apply(image, CropPair(((0, 0), (0, 0)),
                                             (False, True)))
    np.testing.assert_array_equal(first, image)
    np.testing.assert_array_equal(second, image[:, ::-1])


def test_without_mirrors():
    rng = np.random.default_rng(0)
    op = crops(mirror_prob=0.0)
    assert not any(any(op.draw(rng, 40, 60).mirrored) for _ in range(20))


@pytest.mark.parametrize("changes, message", [
    (dict(crop_size=[321, 320], stride=8), r"crop_size = \[321, 320\] .*"
     "allowed: multiples of stride = 8"),
    (dict(min_iou=0.8, max_iou=0.5), "min_iou = 0.8 .* at most max_iou = 0.5"),
    (dict(min_iou=-0.1), "min_iou"), (dict(tries=0), "tries"),
    (dict(fill=[0, 0, 256]), "fill"), (dict(fill=[0, 0]), "fill"),
])
def test_refused(changes, message):
    with pytest.raises(ArgumentError, match=message):
        crops(**changes)
