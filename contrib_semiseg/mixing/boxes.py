# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Random box masks for CutMix: draws, boxes and masks, one after the other.

Source: CPS card, section 2.5 (the mask generator of the authors' release).
"""

import numpy as np

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError


def draw_boxes(rng, n, n_boxes, *, fixed_aspect=False):
    """Draw the uniform numbers behind the boxes of `n` masks.

    Args:
        rng (np.random.Generator): the only source of randomness.
        n (int): masks.
        n_boxes (int): boxes of each mask.
        fixed_aspect (bool): leave out the second number.
    Returns:
        (first, second, corner): float64 in [0, 1), [n, n_boxes] twice (the
        second None with `fixed_aspect`) and [n, n_boxes, 2] (y, x).
    """
    first = rng.random((n, n_boxes))
    second = None if fixed_aspect else rng.random((n, n_boxes))
    return first, second, rng.random((n, n_boxes, 2))


def boxes_from_draws(first, second, corner, height, width, *, low, high,
                     by_size=False):
    """Turn draws into boxes that lie inside an image.

    `first` gives the area share p in [low, high) and `second` the aspect a:
    height p^a, width p^(1 - a). With `by_size` the two give height and width
    themselves, each in [low, high). Both sides shrink by sqrt(1 / n_boxes).
    Without `second` the box has the image's aspect; the release then shrinks
    twice, and so do we.

    Args:
        first, second, corner: see `draw_boxes`.
        height, width (int): of the image, pixels.
        low, high (float): share of the image, in [0, 1].
    Returns: int64 [n, n_boxes, 4]: top, left, height, width in pixels,
        rounded half to even.
    """
    n_boxes = first.shape[1]
    shrink = np.sqrt(1.0 / n_boxes)
    share = low + (high - low) * first
    if second is None:
        tall = wide = np.sqrt(share) * shrink
    elif by_size:
        tall, wide = share, low + (high - low) * second
    else:
        # p^1 is 0 for p = 0 whatever the aspect: no 0/0 for low = 0.
        tall, wide = share**second, share**(1.0 - second)
    size = np.rint(np.stack([tall * shrink, wide * shrink], axis=-1) *
                   (height, width))
    top_left = np.rint(((height, width) - size) * corner)
    return np.concatenate([top_left, size], axis=-1).astype(np.int64)


def boxes_to_mask(boxes, height, width, *, invert=False):
    """Flip the pixels of each box in turn, starting from zeros.

    Args:
        boxes: int [n, n_boxes, 4]: top, left, height, width in pixels.
        height, width (int): of the mask.
        invert (bool): start from ones.
    Returns: uint8 [n, 1, height, width] of 0 and 1; an area that an even
        number of boxes covers is as at the start.
    """
    masks = np.full((len(boxes), 1, height, width), int(invert), np.uint8)
    for mask, rows in zip(masks, boxes):
        for top, left, tall, wide in rows:
            mask[0, top:top + tall, left:left + wide] ^= 1
    return masks


@manager.register(manager.MASKS)
class BoxMask:
    """A mask of random boxes that flip their pixels.

    Args:
        n_boxes (int): boxes, >= 1.
        min_area, max_area (float): area share of all boxes together (before
            overlaps), in [0, 1].
    """

    @check.arguments
    def __init__(self, *, n_boxes: check.Range(1, integer=True) = 3,
                 min_area: check.PROBABILITY = 0.25,
                 max_area: check.PROBABILITY = 0.5):
        if min_area > max_area:
            raise ArgumentError("min_area", min_area,
                                f"at most max_area = {max_area}")
        self.n_boxes, self.min_area, self.max_area = n_boxes, min_area, max_area

    def __call__(self, rng, height, width):
        """Draw one mask: uint8 [1, height, width]."""
        boxes = boxes_from_draws(*draw_boxes(rng, 1, self.n_boxes), height,
                                 width, low=self.min_area, high=self.max_area)
        return boxes_to_mask(boxes, height, width)[0]
