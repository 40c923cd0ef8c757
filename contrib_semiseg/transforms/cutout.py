# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Cutout: a box of noise that nobody has to label.

Source: the ST release, after DeVries and Taylor, arXiv 1708.04552.
"""

import math

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms.pipeline import fields

_TRIES = 10000


@manager.register(manager.TRANSFORMS)
class RandomCutout:
    """Fill a random box of the image with noise; its label is ignored.

    A box has a uniform share of the area, a uniform ratio height / width and
    a uniform top left pixel; one that leaves the image is drawn anew as a
    whole, so small boxes are more frequent than `area` says: with the
    defaults a box has 0.14 of the area on average.

    Args:
        prob (float): how often, in [0, 1].
        min_area, max_area (float): ends of the share of the area.
        min_ratio, max_ratio (float): ends of height / width, > 0.
        ignore_index (int): label value of the box.
    """

    eight_bit = True

    @check.arguments
    def __init__(self, *, prob: check.PROBABILITY = 0.5,
                 min_area: check.PROBABILITY = 0.02,
                 max_area: check.PROBABILITY = 0.4,
                 min_ratio: check.Range(0, exclude_low=True) = 0.3,
                 max_ratio: check.Range(0, exclude_low=True) = 1 / 0.3,
                 ignore_index: check.Range(0, 255, integer=True) = 255):
        for name, low, high in (("area", min_area, max_area),
                                ("ratio", min_ratio, max_ratio)):
            if low > high:
                raise ArgumentError(f"min_{name}", low,
                                    f"at most max_{name} = {high}")
        self.prob, self.ignore_index = prob, ignore_index
        self.area, self.ratio = (min_area, max_area), (min_ratio, max_ratio)

    def draw(self, rng, height, width):
        """(left, top, width, height) of a box in pixels, and its noise.

        Returns: ((x, y, w, h), float64 [h, w, 3] in [0, 255)), or None.
        Raises: ArgumentError if no box of these limits fits.
        """
        if not rng.random() < self.prob:
            return None
        for _ in range(_TRIES):
            area = rng.uniform(*self.area) * height * width
            ratio = rng.uniform(*self.ratio)
            w, h = int(math.sqrt(area / ratio)), int(math.sqrt(area * ratio))
            x, y = int(rng.integers(width)), int(rng.integers(height))
            if x + w <= width and y + h <= height:
                return (x, y, w, h), rng.uniform(0, 255, (h, w, 3))
        raise ArgumentError("max_area", self.area[1], "so small that a box "
                            f"fits into {width} x {height} pixels")

    def apply(self, data, drawn):
        if drawn is None:
            return data
        (x, y, w, h), noise = drawn
        data["img"] = data["img"].copy()
        data["img"][y:y + h, x:x + w] = noise.astype(data["img"].dtype)
        for key in fields(data):
            if key != "valid":
                data[key] = data[key].copy()
                data[key][y:y + h, x:x + w] = self.ignore_index
        return data

    def __call__(self, data):
        return self.apply(data,
                          self.draw(data["rng"], *data["img"].shape[:2]))
