# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Two crops of one picture that overlap; the draw apart from its use.

Source: CAC (CVPR 2021), the unlabelled images of its release.
"""

from typing import NamedTuple

import numpy as np

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms.geometric import pad


class CropPair(NamedTuple):
    """What `OverlapCrops` drew.

    Attributes:
        corners (sequence): (top, left) of both windows, pixels.
        mirrored (sequence of bool): of both.
    """

    corners: tuple
    mirrored: tuple


def snap(value, origin, step):
    """The largest of origin + k * step up to `value`; below 0, the next."""
    value = (value - origin) // step * step + origin
    return value + step if value < 0 else value


@manager.register(manager.CROPS)
class OverlapCrops:
    """Two windows whose overlap is known, each mirrored by itself.

    The picture is padded on the right and at the bottom up to the crop. Both
    windows are uniform over the places where they fit; the second one is
    moved to a multiple of `stride` from the first and drawn again until their
    intersection over union is allowed. After `tries` vain draws both windows
    are the same. Padding counts there, but is no part of the overlap.

    Args:
        crop_size (list of int): (width, height), multiples of `stride`.
        stride (int): side of a cell, pixels.
        min_iou, max_iou (float): of the windows, inclusive.
        tries (int): draws of the second window.
        mirror_prob (float): how often a view is mirrored left-right.
        fill (list of int): RGB of the padding.

    Attributes:
        adds (tuple of str): what a view has besides, see `geometry`.
        cells (tuple of int): rows and columns of cells of a view.
    """

    adds = ("overlap", "mirrored")
    count = 2

    @check.arguments
    def __init__(self, *, crop_size: check.SIZE,
                 stride: check.Range(1, integer=True) = 8,
                 min_iou: check.PROBABILITY = 0.1,
                 max_iou: check.PROBABILITY = 1.0,
                 tries: check.Range(1, integer=True) = 50,
                 mirror_prob: check.PROBABILITY = 0.5,
                 fill: check.COLOR = (0, 0, 0)):
        if any(side % stride for side in crop_size):
            raise ArgumentError("crop_size", list(crop_size), "multiples of "
                                f"stride = {stride}")
        if min_iou > max_iou:
            raise ArgumentError("min_iou", min_iou,
                                f"at most max_iou = {max_iou}")
        self.size = crop_size[1], crop_size[0]
        self.stride, self.iou = stride, (min_iou, max_iou)
        self.tries, self.mirror_prob, self.fill = tries, mirror_prob, fill
        self.cells = tuple(side // stride for side in self.size)

    def draw(self, rng, height, width):
        """Draw the windows for a picture of this size: CropPair."""
        first = self._corner(rng, height, width)
        second = self.second(first, (self._corner(rng, height, width)
                                     for _ in range(self.tries)))
        return CropPair((first, second), tuple(
            bool(rng.random() < self.mirror_prob) for _ in range(2)))

    def _corner(self, rng, height, width):
        left, top = (int(rng.integers(0, max(0, side - crop), endpoint=True))
                     for side, crop in zip((width, height), self.size[::-1]))
        return top, left

    def second(self, first, attempts):
        """The first of the snapped attempts that is allowed, else `first`.

        Args:
            first (tuple): top and left, pixels.
            attempts (iterable): of the same; no more are taken than needed.
        """
        for attempt in attempts:
            found = tuple(snap(*pair, self.stride)
                          for pair in zip(attempt, first))
            if self.allows(first, found):
                return found
        return first

    def allows(self, first, second):
        """Whether two windows overlap as much as they have to."""
        sides = [crop - abs(a - b)
                 for crop, a, b in zip(self.size, first, second)]
        if min(sides) < 0:
            return False
        shared = sides[0] * sides[1]
        union = 2 * self.size[0] * self.size[1] - shared
        return self.iou[0] <= shared / union <= self.iou[1]

    def overlaps(self, corners, height, width):
        """The overlap inside each window, before it is mirrored.

        Cells that reach beyond the picture are left out.

        Args:
            corners: see `CropPair`.
            height, width (int): of the picture, pixels.

        Returns: two tuples (top, left, bottom, right), pixels, multiples of
            `stride` from the window's corner; the last two are excluded.
        """
        first, second = corners
        whole = [side // self.stride * self.stride
                 for side in (height, width)]
        found = []
        for own, other in ((first, second), (second, first)):
            shift = [b - a for a, b in zip(own, other)]
            found.append((
                *(max(0, d) for d in shift),
                *(min(crop, crop + d, limit) for crop, d, limit in
                  zip(self.size, shift, whole))))
        return found

    def geometry(self, pair, height, width):
        """What is known of each view: list of two dicts of arrays.

        `overlap` is int64 [4], see `overlaps`; `mirrored` is bool [].
        """
        return [{"overlap": np.array(overlap, np.int64),
                 "mirrored": np.array(mirrored)} for overlap, mirrored in
                zip(self.overlaps(pair.corners, height, width),
                    pair.mirrored)]

    def apply(self, image, pair):
        """Cut out and mirror: list of two arrays like `image` [H, W, 3]."""
        lack = [max(0, crop - side)
                for crop, side in zip(self.size, image.shape)]
        image = pad(image, (0, lack[0], 0, lack[1]), self.fill)
        views = []
        for (top, left), mirrored in zip(pair.corners, pair.mirrored):
            view = image[top:top + self.size[0], left:left + self.size[1]]
            views.append(np.ascontiguousarray(view[:, ::-1]) if mirrored
                         else view)
        return views
