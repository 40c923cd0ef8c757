# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""A few random operations out of a table, one after the other.

Source: the DSSN release (the further strong operations on VOC).
"""

import math
from typing import Callable, NamedTuple, Optional

import numpy as np
from PIL import Image, ImageOps

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError
from contrib_semiseg.transforms import color


def rising(u, coin, low, high):
    """From `low` up to `high`."""
    return low + u * (high - low)


def falling(u, coin, low, high):
    """From `high` down to `low`."""
    return high - u * (high - low)


def whole_below(u, coin, low, high):
    """A whole number from high - 1 down to `low`."""
    return high - max(1, math.ceil(u * (high - low)))


def either_sign(u, coin, low, high):
    """`rising`, negative where the second draw is below one half."""
    value = rising(u, coin, low, high)
    return -value if coin < 0.5 else value


def autocontrast(image):
    """Stretch each channel to 0..255."""
    return np.array(ImageOps.autocontrast(Image.fromarray(image)))


def equalize(image):
    """Flatten the histogram of each channel."""
    return np.array(ImageOps.equalize(Image.fromarray(image)))


def posterize(image, bits):
    """Keep the first `bits` (1..8) of each value."""
    return np.array(ImageOps.posterize(Image.fromarray(image), bits))


def solarize(image, threshold):
    """Invert the values from `threshold` (0..256) on."""
    return np.array(ImageOps.solarize(Image.fromarray(image), threshold))


class Operation(NamedTuple):
    """An operation of the table.

    Attributes:
        apply (callable): (image) or (image, amount) to image, uint8
            [H, W, 3] RGB.
        amount (callable, optional): (u, coin, low, high) to the amount; u
            and coin are uniform in [0, 1). None: there is no amount.
        low, high (float): ends of the amount.
    """

    apply: Callable
    amount: Optional[Callable] = None
    low: float = 0.0
    high: float = 0.0


OPERATIONS = {
    "identity": Operation(lambda image: image),
    "autocontrast": Operation(autocontrast),
    "equalize": Operation(equalize),
    "blur": Operation(color.gaussian_blur, rising, 0.1, 2.0),
    "contrast": Operation(color.contrast, falling, 0.05, 0.95),
    "brightness": Operation(color.brightness, falling, 0.05, 0.95),
    "color": Operation(color.saturation, falling, 0.05, 0.95),
    "sharpness": Operation(color.sharpness, falling, 0.05, 0.95),
    "posterize": Operation(posterize, whole_below, 4, 8),
    "solarize": Operation(solarize, whole_below, 1, 256),
    "hue": Operation(color.hue, either_sign, 0.0, 0.5),
}


@manager.register(manager.TRANSFORMS)
class RandomIntensity(color.ImageTransform):
    """Apply 1 to `max_ops` operations of `OPERATIONS`, repeats allowed.

    Args:
        max_ops (int): the number of operations is uniform in 1..max_ops.
        ops (list of str): those to choose from, each equally likely.
    """

    @check.arguments
    def __init__(self, *, max_ops: check.Range(1, integer=True) = 3,
                 ops: check.ListOf(check.OneOf(*OPERATIONS)) =
                 tuple(OPERATIONS)):
        if not ops:
            raise ArgumentError("ops", ops, "one or more of "
                                f"{', '.join(OPERATIONS)}")
        self.max_ops, self.ops = max_ops, tuple(ops)

    def draw(self, rng):
        """Names with their amounts, in turn: list of (str, number or None).
        """
        drawn = []
        for _ in range(int(rng.integers(1, self.max_ops, endpoint=True))):
            name = self.ops[int(rng.integers(len(self.ops)))]
            op = OPERATIONS[name]
            # The two numbers are drawn in any case, for a simple law.
            u, coin = rng.random(2)
            drawn.append((name, op.amount and
                          op.amount(u, coin, op.low, op.high)))
        return drawn

    def apply(self, image, drawn):
        for name, amount in drawn:
            rest = () if amount is None else (amount,)
            image = OPERATIONS[name].apply(image, *rest)
        return image
