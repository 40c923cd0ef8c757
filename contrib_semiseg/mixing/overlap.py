# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""The places that two crops of an image share, as cells of their maps."""

import paddle


def overlap_cells(overlap, mirrored, height, width, cell):
    """Where a map's overlap with its partner lies.

    Called for both views, it gives the same places in the same order: image
    after image, row by row, from left to right in the image that was not
    mirrored.

    Args:
        overlap (Tensor): int64 [N, 4]: top, left, bottom, right of the
            overlap inside the view, pixels before mirroring, multiples of
            `cell`; the last two are excluded.
        mirrored (Tensor): bool [N], the view was mirrored left-right.
        height, width (int): cells of a map.
        cell (int): side of a cell, pixels.

    Returns: int64 [n], positions among the N * height * width cells of the
        maps as they are; n may be 0.
    """
    top, left, bottom, right = (overlap // cell).reshape(
        [-1, 4, 1, 1]).unbind(axis=1)
    rows = paddle.arange(height).reshape([1, height, 1])
    columns = paddle.arange(width).reshape([1, 1, width])
    inside = ((rows >= top) & (rows < bottom) &
              (columns >= left) & (columns < right))
    # The place of a column in a mirrored map.
    places = paddle.where(mirrored.reshape([-1, 1, 1]), width - 1 - columns,
                          columns)
    images = paddle.arange(len(overlap)).reshape([-1, 1, 1])
    index = (images * height + rows) * width + places
    return index.masked_select(inside)
