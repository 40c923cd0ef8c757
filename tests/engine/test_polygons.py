# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from contrib_semiseg.engine import polygons


def inside(polygon, shape):
    """Pixels whose middle is inside, by the even-odd rule: bool [H, W]."""
    found = np.zeros(shape, bool)
    middles = np.arange(shape[1]) + 0.5
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0)):
        for row in range(shape[0]):
            if min(y0, y1) <= row + 0.5 < max(y0, y1):
                found[row] ^= middles > x0 + (row + 0.5 - y0) * (
                    x1 - x0) / (y1 - y0)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_polygons_are_the_mask_to_the_pixel(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(rng.integers(1, 13, 2)) < (0.2, 0.5, 0.8)[seed % 3]
    regions = polygons.trace(mask)
    found = [inside(polygon, mask.shape) for polygon, _, _ in regions]
    assert (sum(found, np.zeros(mask.shape, int)) == mask).all()
    for part, (polygon, pixels, (x, y, w, h)) in zip(found, regions):
        assert pixels == part.sum() and len(polygon) >= 4
        rows, columns = np.nonzero(part)
        assert (x, y, x + w, y + h) == (
            columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_a_ring_is_cut_open():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    (polygon, pixels, box), = polygons.trace(mask)
    assert pixels == 24 and box == (0, 0, 5, 5)
    assert len(polygon) == 4 + 4 + 2  # there and back


def test_a_narrow_mask_keeps_its_teeth():
    mask = np.array([[1, 0], [1, 0], [1, 0], [1, 1], [1, 0], [1, 1]], bool)
    (_, pixels, box), = polygons.trace(mask)
    assert (pixels, box) == (8, (0, 0, 2, 6))


def test_small_regions_and_holes_are_left_out():
    mask = np.zeros((12, 12), bool)
    mask[:8, :8], mask[2, 2], mask[10, 10] = True, False, True
    (polygon, pixels, _), = polygons.trace(mask, min_area=2)
    assert sorted(polygon.tolist()) == [[0, 0], [0, 8], [8, 0], [8, 8]]
    assert pixels == 63  # the area is of the mask
    assert polygons.trace(np.zeros((3, 3), bool)) == []


def test_a_tolerance_takes_corners_away():
    mask = np.tri(40, dtype=bool)
    (exact, _, _), = polygons.trace(mask)
    (rough, _, _), = polygons.trace(mask, tolerance=1.5)
    assert len(exact) > 70 and len(rough) <= 5
    assert abs(inside(rough, mask.shape).sum() - mask.sum()) < 60


def test_classes_without_a_name_are_left_out():
    classes = np.array([[0, 0, 255, 255]], np.uint8)
    found = polygons.of_picture(classes, "a.png", ["sky"], tolerance=0,
                                min_area=0)
    row, = found["annotations"]
    assert row["category_id"] == 1 and row["iscrowd"] == 0
    assert len(row["segmentation"][0]) == 8
    assert found["images"][0]["width"] == 4
