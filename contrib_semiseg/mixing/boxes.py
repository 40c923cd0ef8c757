# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Random box masks for CutMix: draws, boxes and masks, one after the other.

Source: the mask generator of the CPS release;
of `RatioBoxMask`: the CutMix box of the UniMatch release;
of `draw_half_boxes`: the cut box of the U2PL release and, with `whole`, of
the CTT release.
"""

import itertools
import math

import numpy as np

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError, DataError

# Even the largest box of the default fits in one of about 20 attempts.
_MOST_ATTEMPTS = 10000


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


def draw_ratio_boxes(rng, height, width, low, high):
    """Draw attempts at a box without end: (ratio, left, top).

    Args:
        rng (np.random.Generator): the only source of randomness.
        height, width (int): of the image, pixels.
        low, high (float): ends of the uniform ratio height / width.
    """
    while True:
        yield (rng.uniform(low, high), int(rng.integers(width)),
               int(rng.integers(height)))


def fit_ratio_box(area, attempts, height, width):
    """The box of the first attempt that lies inside the image.

    Args:
        area (float): of the box, pixels; sides are rounded down.
        attempts (iterable): (ratio height / width, left, top), the corner
            in pixels; no more are taken than needed.
        height, width (int): of the image, pixels.
    Returns: (top, left, height, width) in pixels, or None if no attempt
        fits.
    """
    for ratio, left, top in attempts:
        wide, tall = int(math.sqrt(area / ratio)), int(math.sqrt(area * ratio))
        if left + wide <= width and top + tall <= height:
            return top, left, tall, wide
    return None


@manager.register(manager.MASKS)
class RatioBoxMask:
    """A mask of one random box, or of none.

    The area is drawn once; ratio and corner are drawn again until the box
    lies inside, so that the boxes kept are smaller and taller than drawn.

    Args:
        prob (float): of a box, in [0, 1].
        min_area, max_area (float): ends of the uniform share of the image.
        min_ratio, max_ratio (float): ends of the uniform height / width.
    """

    @check.arguments
    def __init__(self, *, prob: check.PROBABILITY = 0.5,
                 min_area: check.PROBABILITY = 0.02,
                 max_area: check.PROBABILITY = 0.4,
                 min_ratio: check.Range(0, exclude_low=True) = 0.3,
                 max_ratio: check.Range(0, exclude_low=True) = 1 / 0.3):
        for name, low, high in (("area", min_area, max_area),
                                ("ratio", min_ratio, max_ratio)):
            if low > high:
                raise ArgumentError(f"min_{name}", low,
                                    f"at most max_{name} = {high}")
        self.prob = prob
        self.area, self.ratio = (min_area, max_area), (min_ratio, max_ratio)

    def draw(self, rng, height, width):
        """Draw a box: (top, left, height, width) in pixels, or None.

        Raises: DataError, if boxes of this area and ratio do not fit.
        """
        if rng.random() > self.prob:
            return None
        area = rng.uniform(*self.area) * height * width
        attempts = draw_ratio_boxes(rng, height, width, *self.ratio)
        box = fit_ratio_box(area, itertools.islice(attempts, _MOST_ATTEMPTS),
                            height, width)
        if box is None:
            raise DataError(
                f"masks: no box of {area:.0f} pixels fits into {width} x "
                f"{height} (w x h) with height / width in {self.ratio}; "
                "lower max_area or widen the ratios")
        return box

    def __call__(self, rng, height, width):
        """Draw one mask: uint8 [1, height, width]."""
        box = self.draw(rng, height, width)
        boxes = [[]] if box is None else [[box]]
        return boxes_to_mask(boxes, height, width)[0]


def half_box_widths(width, whole=False):
    """Smallest and largest width (both included) of a half box, pixels.

    Args:
        width (int): of the image.
        whole (bool): a box may be as wide as the image.
    """
    least = width // 2 + 1
    return least, width if whole else max(least, width - 1)


def half_box_height(height, width, wide):
    """Height at which a box `wide` pixels wide covers half of an image."""
    return round(height * width / 2 / wide)


def draw_half_boxes(rng, n, height, width, *, whole=False):
    """Draw boxes of half an image: width, then left and top, all uniform.

    Args:
        rng (np.random.Generator): the only source of randomness.
        n (int): boxes.
        height, width (int): of the image, pixels.
        whole (bool): see `half_box_widths`.
    Returns: int64 [n, 4]: top, left, height, width in pixels.
    """
    boxes = []
    for _ in range(n):
        wide = int(rng.integers(*half_box_widths(width, whole),
                                endpoint=True))
        tall = half_box_height(height, width, wide)
        left = int(rng.integers(0, width - wide, endpoint=True))
        top = int(rng.integers(0, height - tall, endpoint=True))
        boxes.append([top, left, tall, wide])
    return np.array(boxes, np.int64).reshape(-1, 4)
