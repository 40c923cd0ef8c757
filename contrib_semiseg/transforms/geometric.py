# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Mirror, scale, crop and padding; each draw apart from its use.

Source: the CPS release (training transform); of `RandomLongSide` and
`PadRandomCrop`: the UniMatch release; of `RandomSpreadScale`: the U2PL
release.
"""

import cv2
import numpy as np
from PIL import Image

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms.pipeline import fields, mark_valid


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
        by_factor (bool): pixels are s apart, and the size is rounded; else
            the corners of the new size and of the old one correspond.
    """

    by_factor = False

    @check.arguments
    def __init__(self, *, factors: check.ListOf(
            check.Range(0.0, exclude_low=True)) = (0.5, 0.75, 1.0, 1.5, 1.75,
                                                   2.0),
                 by_factor: check.BOOL = False):
        if not factors:
            raise ArgumentError("factors", factors, "one or more numbers")
        self.factors, self.by_factor = tuple(factors), by_factor

    def draw(self, rng):
        return self.factors[int(rng.integers(len(self.factors)))]

    def apply(self, data, scale):
        if self.by_factor:
            for key in ["img", *fields(data)]:
                data[key] = cv2.resize(
                    data[key], None, fx=scale, fy=scale, interpolation=(
                        cv2.INTER_LINEAR if key == "img" else
                        cv2.INTER_NEAREST))
            return data
        height, width = data["img"].shape[:2]
        size = max(1, int(width * scale)), max(1, int(height * scale))
        if size == (width, height):
            return data
        data["img"] = cv2.resize(data["img"], size,
                                 interpolation=cv2.INTER_LINEAR)
        for key in fields(data):
            data[key] = self.nearest(data[key], size)
        return data

    @staticmethod
    def nearest(label, size):
        """A label [H, W] at `size` (width, height)."""
        return cv2.resize(label, size, interpolation=cv2.INTER_NEAREST)

    def __call__(self, data):
        return self.apply(data, self.draw(data["rng"]))


@manager.register(manager.TRANSFORMS)
class RandomSpreadScale(RandomScale):
    """Resize by a factor that shrinks as often as it enlarges.

    With probability 1/2 each, the factor is uniform below or above 1. Sizes
    and interpolation as in `RandomScale`, but that row i of a label is row
    floor(i * old / new) without exception: OpenCV's may be the one before
    where that division has no remainder.

    Args:
        min_scale (float): smallest factor, in (0, 1].
        max_scale (float): largest factor, at least 1.
    """

    @check.arguments
    def __init__(self, *, min_scale: check.Range(0, 1, exclude_low=True) = 0.5,
                 max_scale: check.Range(1) = 2.0):
        self.min_scale, self.max_scale = min_scale, max_scale

    def draw(self, rng):
        ends = ((self.min_scale, 1.0) if rng.random() < 0.5 else
                (1.0, self.max_scale))
        return rng.uniform(*ends)

    @staticmethod
    def nearest(label, size):
        """A label [H, W] at `size` (width, height)."""
        rows, columns = (np.arange(new) * old // new for new, old in
                         zip(size[::-1], label.shape))
        return label[rows[:, None], columns]


@manager.register(manager.TRANSFORMS)
class RandomCrop:
    """Cut out a window; what lies outside the image is simply missing.

    An axis longer than the crop starts at one of 0..size - crop + 1, both
    included: the last start leaves one row or column to `CenterPad`. A
    shorter axis is kept whole.

    Args:
        crop_size (list of int): (width, height) in pixels.
        inside (bool): the last start is size - crop instead, so that the
            window lies inside an image that is padded already.
    """

    @check.arguments
    def __init__(self, *, crop_size: check.SIZE, inside: check.BOOL = False):
        self.crop_size, self.inside = tuple(crop_size), inside

    def draw(self, rng, height, width):
        """Top and left of the window for an image of this size."""
        more = 1 if self.inside else 2
        return tuple(
            int(rng.integers(size - crop + more)) if size > crop else 0
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
class RandomLongSide:
    """Resize the longer side to a random length, keeping the proportions.

    The length is a uniform integer in [int(L * min_scale),
    int(L * max_scale)], both included; the other side follows, rounded half
    up. The image is smoothed where it shrinks (Pillow's filters); labels
    take the nearest pixel.

    Args:
        min_scale, max_scale (float): factors on L, > 0.
        base_size (int, optional): L in pixels; null: the longer side of each
            image itself.
        interpolation (str): of the image, "bilinear" or "bicubic".
        nearest (str): the label at the "center" of a new pixel (Pillow) or
            at its upper left "corner" (OpenCV).
    """

    eight_bit = True

    @check.arguments
    def __init__(self, *, min_scale: check.Range(0, exclude_low=True) = 0.5,
                 max_scale: check.Range(0, exclude_low=True) = 2.0,
                 base_size: check.Range(1, integer=True,
                                        optional=True) = None,
                 interpolation: check.OneOf("bilinear",
                                            "bicubic") = "bilinear",
                 nearest: check.OneOf("center", "corner") = "center"):
        if min_scale > max_scale:
            raise ArgumentError("min_scale", min_scale,
                                f"at most max_scale = {max_scale}")
        self.min_scale, self.max_scale = min_scale, max_scale
        self.base_size, self.nearest = base_size, nearest
        self.resampling = Image.Resampling[interpolation.upper()]

    def draw(self, rng, height, width):
        """The longer side, pixels, for an image of this size."""
        side = self.base_size or max(height, width)
        return int(rng.integers(max(1, int(side * self.min_scale)),
                                max(1, int(side * self.max_scale)),
                                endpoint=True))

    @staticmethod
    def size(long_side, height, width):
        """The new (height, width)."""
        longest = max(height, width)
        return tuple(long_side if side == longest else
                     max(1, int(side * long_side / longest + 0.5))
                     for side in (height, width))

    def apply(self, data, long_side):
        height, width = self.size(long_side, *data["img"].shape[:2])
        data["img"] = _pil_resize(data["img"], width, height,
                                  self.resampling)
        for key in fields(data):
            if self.nearest == "corner":
                data[key] = cv2.resize(data[key], (width, height),
                                       interpolation=cv2.INTER_NEAREST)
            else:
                data[key] = _pil_resize(data[key], width, height,
                                        Image.Resampling.NEAREST)
        return data

    def __call__(self, data):
        return self.apply(data,
                          self.draw(data["rng"], *data["img"].shape[:2]))


@manager.register(manager.TRANSFORMS)
class PadRandomCrop:
    """Pad on the right and at the bottom up to a size, then cut it out.

    The image gets `fill`, so it has to come before Normalize; labels get
    `ignore_index`, and `valid` becomes 0 where padded. The window starts at
    a uniform integer in 0..size - crop, both included.

    Args:
        crop_size (list of int): (width, height) in pixels.
        ignore_index (int): label value of the padding.
        fill (list of int): RGB of the padding.
    """

    eight_bit = True
    adds = ("valid",)

    @check.arguments
    def __init__(self, *, crop_size: check.SIZE,
                 ignore_index: check.Range(0, 255, integer=True) = 255,
                 fill: check.COLOR = (0, 0, 0)):
        self.crop_size, self.fill = tuple(crop_size), fill
        self.ignore_index = ignore_index

    def draw(self, rng, height, width):
        """Top and left of the window for an image of this size."""
        return tuple(
            int(rng.integers(0, max(0, size - crop), endpoint=True))
            for size, crop in zip((height, width), self.crop_size[::-1]))

    def apply(self, data, top, left):
        width, height = self.crop_size
        mark_valid(data)
        lack = [max(0, crop - size) for crop, size in
                zip((height, width), data["img"].shape[:2])]
        _pad_all(data, (0, lack[0], 0, lack[1]), self.ignore_index, self.fill)
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
    half is on the top and left. `valid` becomes 0 where padded.

    Args:
        size (list of int): (width, height) in pixels.
        ignore_index (int): label value of the padding.
        pad_label (int, optional): take this value instead; the U2PL release
            pads with class 0, and learns it there.
    """

    adds = ("valid",)

    @check.arguments
    def __init__(self, *, size: check.SIZE,
                 ignore_index: check.Range(0, 255, integer=True) = 255,
                 pad_label: check.Range(0, 255, integer=True,
                                        optional=True) = None):
        self.size = tuple(size)
        self.pad_label = ignore_index if pad_label is None else pad_label

    def __call__(self, data):
        height, width = data["img"].shape[:2]
        lack_y = max(0, self.size[1] - height)
        lack_x = max(0, self.size[0] - width)
        mark_valid(data)
        top, left = lack_y // 2, lack_x // 2
        _pad_all(data, (top, lack_y - top, left, lack_x - left),
                 self.pad_label)
        return data


def _pad_all(data, border, ignore_index, fill=0):
    """Pad image, labels and `valid` by (top, bottom, left, right) pixels."""
    values = {"img": fill, "valid": 0}
    for key in ["img", *fields(data)]:
        data[key] = pad(data[key], border, values.get(key, ignore_index))


def pad(array, border, value):
    """Pad [H, W, ...] with `value` by (top, bottom, left, right) pixels."""
    if not any(border):
        return array
    top, bottom, left, right = border
    height, width = array.shape[:2]
    out = np.full((height + top + bottom, width + left + right,
                   *array.shape[2:]), value, dtype=array.dtype)
    out[top:top + height, left:left + width] = array
    return out


def _pil_resize(array, width, height, method):
    return np.array(Image.fromarray(array).resize((width, height), method))
