# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Mirror, scale, crop and centred padding; each draw apart from its use.

Source: CPS card, section 4 (training transform).
"""

import cv2
import numpy as np

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms.pipeline import fields


@manager.register(manager.TRANSFORMS)
class RandomMirror:
    """Mirror left-right.

    Args:
        prob (float): how often, in [0, 1].
    """

    @check.arguments
    def __init__(self, *, prob: check.PROBABILITY = 0.5):
        self.prob = prob

    def draw(self, rng):
        return bool(rng.random() < self.prob)

    def apply(self, data, mirror):
        if mirror:
            for key in ["img", *fields(data)]:
                data[key] = np.ascontiguousarray(data[key][:, ::-1])
        return data

    def __call__(self, data):
        return self.apply(data, self.draw(data["rng"]))


@manager.register(manager.TRANSFORMS)
class RandomScale:
    """Resize by one of the given factors, each equally likely.

    The new size is int(H * s) x int(W * s), at least 1 x 1; bilinear for the
    image, nearest for the label.

    Args:
        factors (list of float): the choices, each > 0.
    """

    @check.arguments
    def __init__(self, *, factors: check.ListOf(
            check.Range(0.0, exclude_low=True)) = (0.5, 0.75, 1.0, 1.5, 1.75,
                                                   2.0)):
        if not factors:
            raise ArgumentError("factors", factors, "one or more numbers")
        self.factors = tuple(factors)

    def draw(self, rng):
        return self.factors[int(rng.integers(len(self.factors)))]

    def apply(self, data, scale):
        height, width = data["img"].shape[:2]
        size = max(1, int(width * scale)), max(1, int(height * scale))
        if size == (width, height):
            return data
        data["img"] = cv2.resize(data["img"], size,
                                 interpolation=cv2.INTER_LINEAR)
        for key in fields(data):
            data[key] = cv2.resize(data[key], size,
                                   interpolation=cv2.INTER_NEAREST)
        return data

    def __call__(self, data):
        return self.apply(data, self.draw(data["rng"]))


@manager.register(manager.TRANSFORMS)
class RandomCrop:
    """Cut out a window; what lies outside the image is simply missing.

    An axis longer than the crop starts at one of 0..size - crop + 1, both
    included: the last start leaves one row or column to `CenterPad`. A
    shorter axis is kept whole.

    Args:
        crop_size (list of int): (width, height) in pixels.
    """

    @check.arguments
    def __init__(self, *, crop_size: check.SIZE):
        self.crop_size = tuple(crop_size)

    def draw(self, rng, height, width):
        """Top and left of the window for an image of this size."""
        return tuple(
            int(rng.integers(size - crop + 2)) if size > crop else 0
            for size, crop in zip((height, width), self.crop_size[::-1]))

    def apply(self, data, top, left):
        width, height = self.crop_size
        for key in ["img", *fields(data)]:
            data[key] = data[key][top:top + height, left:left + width]
        return data

    def __call__(self, data):
        return self.apply(data,
                          *self.draw(data["rng"], *data["img"].shape[:2]))


@manager.register(manager.TRANSFORMS)
class CenterPad:
    """Pad a NORMALISED image to a size, centred; larger images stay.

    The image gets 0, the label `ignore_index`; of an odd lack the smaller
    half is on the top and left. Writes `data["valid"]` [H, W] bool, False
    where padded.

    Args:
        size (list of int): (width, height) in pixels.
        ignore_index (int): label value of the padding.
    """

    @check.arguments
    def __init__(self, *, size: check.SIZE,
                 ignore_index: check.Range(0, 255, integer=True) = 255):
        self.size = tuple(size)
        self.ignore_index = ignore_index

    def __call__(self, data):
        height, width = data["img"].shape[:2]
        lack_y = max(0, self.size[1] - height)
        lack_x = max(0, self.size[0] - width)
        valid = np.ones((height, width), dtype=bool)
        if lack_y or lack_x:
            top, left = lack_y // 2, lack_x // 2
            border = top, lack_y - top, left, lack_x - left
            data["img"] = _pad(data["img"], border, 0)
            valid = _pad(valid, border, False)
            for key in fields(data):
                data[key] = _pad(data[key], border, self.ignore_index)
        data["valid"] = valid
        return data


def _pad(array, border, value):
    top, bottom, left, right = border
    height, width = array.shape[:2]
    out = np.full((height + top + bottom, width + left + right,
                   *array.shape[2:]), value, dtype=array.dtype)
    out[top:top + height, left:left + width] = array
    return out
