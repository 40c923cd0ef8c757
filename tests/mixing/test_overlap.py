# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Cells of both views that show the same place."""

import numpy as np
import paddle
import pytest

from contrib_semiseg.mixing.overlap import overlap_cells
from contrib_semiseg.transforms.crops import OverlapCrops

CELL, ROWS, COLUMNS = 4, 5, 6


def by_hand(overlap, mirrored):
    """Mirror the map of positions, cut it, image after image."""
    index = np.arange(len(overlap) * ROWS * COLUMNS).reshape(
        -1, ROWS, COLUMNS)
    found = []
    for part, (top, left, bottom, right), turn in zip(index, overlap,
                                                      mirrored):
        part = part[:, ::-1] if turn else part
        found += part[top // CELL:bottom // CELL,
                      left // CELL:right // CELL].ravel().tolist()
    return found


@pytest.mark.parametrize("mirrored", [(False, False, False),
                                      (True, False, True)])
def test_mirror_then_cut(mirrored):
    overlap = np.array([[0, 0, 20, 24], [4, 8, 16, 24], [8, 0, 12, 4]])
    got = overlap_cells(paddle.to_tensor(overlap), paddle.to_tensor(mirrored),
                        ROWS, COLUMNS, CELL)
    assert got.numpy().tolist() == by_hand(overlap, mirrored)


@pytest.mark.parametrize("overlap", [[0, 0, 0, 24], [8, 8, 8, 8],
                                     [8, 8, 4, 24]])
def test_an_empty_overlap_has_no_cells(overlap):
    got = overlap_cells(paddle.to_tensor([overlap]), paddle.to_tensor([True]),
                        ROWS, COLUMNS, CELL)
    assert got.shape == [0]


@pytest.mark.parametrize("size", [(40, 50), (15, 60), (23, 18), (3, 40)])
def test_both_views_show_the_same_pixels(size):
    """From the picture through crops, mirrors and cells."""
    rng = np.random.default_rng(0)
    crops = OverlapCrops(crop_size=[COLUMNS * CELL, ROWS * CELL], stride=CELL,
                         min_iou=0.0, fill=[255] * 3)
    image = rng.integers(0, 255, (*size, 3)).astype(np.uint8)
    counts = []
    for _ in range(60):
        pair = crops.draw(rng, *size)
        cells = []
        for view, place in zip(crops.apply(image, pair),
                               crops.geometry(pair, *size)):
            index = overlap_cells(
                paddle.to_tensor(place["overlap"]).unsqueeze(0),
                paddle.to_tensor(place["mirrored"]).unsqueeze(0), *crops.cells,
                CELL).numpy()
            # The sum of a cell's pixels does not depend on the mirror.
            sums = view.astype(int).reshape(
                ROWS, CELL, COLUMNS, CELL, 3).sum(axis=(1, 3))
            cells.append(sums.reshape(-1, 3)[index])
            assert (view != 255).any() or not len(index)
            # No padding: it alone is 255.
            full = (view == 255).reshape(ROWS, CELL, COLUMNS, CELL, 3).any(
                axis=(1, 3, 4)).ravel()
            assert not full[index].any()
        np.testing.assert_array_equal(*cells)
        counts.append(len(cells[0]))
    assert (max(counts) == 0) == (min(size) < CELL)
    assert len(set(counts)) > 1 or min(size) < CELL or size == (23, 18)
