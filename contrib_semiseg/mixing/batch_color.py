# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Colours and sharpness of a whole batch, on its device; draw, then apply.

For images that exist only within a step, such as mixed ones. Pictures are
float32 [N, 3, H, W] with values in [0, 1] and red in channel 0.
Source: the CTT release, whose operations are those of kornia 0.3.0.
"""

import math
from typing import NamedTuple

import numpy as np
import paddle
import paddle.nn.functional as F

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError


def brightness(images, factor):
    """Add factor - 1; the factors [N, 1, 1, 1] are of the images."""
    return (images + factor - 1).clip(0, 1)


def contrast(images, factor):
    """Multiply by the factors; no mean is kept."""
    return (images * factor).clip(0, 1)


def to_hsv(images):
    """Hue in [0, 6), saturation and value in [0, 1]: three [N, 1, H, W]."""
    red, green, blue = images.chunk(3, axis=1)
    value = images.max(axis=1, keepdim=True)
    span = value - images.min(axis=1, keepdim=True)
    safe = paddle.where(span > 0, span, paddle.ones_like(span))
    hue = paddle.where(
        value == red, (green - blue) / safe, paddle.where(
            value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe))
    return hue % 6, span / paddle.where(value > 0, value, safe), value


def to_rgb(hue, saturation, value):
    """Inverse of `to_hsv`: [N, 3, H, W]."""
    channels = []
    for turn in (5, 3, 1):
        place = (hue + turn) % 6
        lack = paddle.minimum(place, 4 - place).clip(0, 1)
        channels.append(value * (1 - saturation * lack))
    return paddle.concat(channels, axis=1)


def saturation(images, factor):
    """Multiply the saturation of HSV."""
    hue, sat, value = to_hsv(images)
    return to_rgb(hue, (sat * factor).clip(0, 1), value)


def hue(images, shift):
    """Turn the hue by a share of the circle."""
    angle, sat, value = to_hsv(images)
    return to_rgb((angle + 6 * shift) % 6, sat, value)


JITTERS = (brightness, contrast, saturation, hue)


class BatchJitter(NamedTuple):
    """What `BatchColorJitter` drew.

    Attributes:
        order (sequence of int): positions in JITTERS, in turn.
        amounts (sequence): for each of JITTERS the factor or shift of each
            image, float [N]; None leaves it out.
    """

    order: tuple
    amounts: tuple


@manager.register(manager.BATCH_TRANSFORMS)
class BatchColorJitter:
    """Change brightness, contrast, saturation and hue of a batch.

    One draw decides for the whole batch, and the order is one for all; the
    amounts are drawn for each image.

    Args:
        prob (float): how often, in [0, 1].
        brightness, contrast, saturation (float): the factor is uniform in
            [1 - b, 1 + b], of brightness the summand in [-b, b]; 0 leaves
            the operation out.
        hue (float): the shift is uniform in [-hue, hue], as a share of the
            circle; 0 leaves it out.
    """

    @check.arguments
    def __init__(self, *, prob: check.PROBABILITY = 0.8,
                 brightness: check.PROBABILITY = 0.25,
                 contrast: check.PROBABILITY = 0.25,
                 saturation: check.PROBABILITY = 0.25,
                 hue: check.Range(0.0, 0.5) = 0.25):
        self.prob = prob
        self.ranges = tuple((1 - b, 1 + b) if b else None for b in
                            (brightness, contrast, saturation)) + (
                                (-hue, hue) if hue else None,)

    def draw(self, rng, shape):
        """Draw for a batch of this shape: BatchJitter, or None."""
        if not rng.random() < self.prob:
            return None
        order = tuple(int(i) for i in rng.permutation(len(JITTERS)))
        return BatchJitter(order, tuple(
            limits and rng.uniform(*limits, shape[0])
            for limits in self.ranges))

    def apply(self, images, drawn):
        for i in drawn.order:
            if drawn.amounts[i] is not None:
                amount = paddle.to_tensor(
                    np.asarray(drawn.amounts[i]), dtype=images.dtype)
                images = JITTERS[i](images, amount.reshape([-1, 1, 1, 1]))
        return images


def kernel_size(side, share):
    """The largest odd number up to ceil(share * side), pixels."""
    return (math.ceil(share * side) - 1) // 2 * 2 + 1


def gaussian_blur(images, sigma, share=0.1):
    """Blur rows and columns, the borders reflected without their edge.

    Args:
        images (Tensor): float32 [N, 3, H, W] of any range.
        sigma (float): of the Gaussian, pixels, > 0.
        share (float): of each side that the filter covers, see
            `kernel_size`.
    """
    count, channels, *sides = images.shape
    x = images.reshape([count * channels, 1, *sides])
    for axis in (2, 3):
        size = kernel_size(x.shape[axis], share)
        steps = np.arange(size) - size // 2
        weights = np.exp(-0.5 * (steps / sigma)**2)
        shape = [1, 1, 1, 1]
        shape[axis] = size
        margin = [size // 2] * 2
        x = F.pad(x, [0, 0] + margin if axis == 2 else margin + [0, 0],
                  mode="reflect")
        x = F.conv2d(x, paddle.to_tensor(
            weights / weights.sum(), dtype=x.dtype).reshape(shape))
    return x.reshape(images.shape)


@manager.register(manager.BATCH_TRANSFORMS)
class BatchGaussianBlur:
    """Blur all images of a batch by one random amount.

    Args:
        prob (float): how often, in [0, 1].
        min_sigma, max_sigma (float): ends of the uniform sigma, pixels.
    """

    @check.arguments
    def __init__(self, *, prob: check.PROBABILITY = 0.5,
                 min_sigma: check.Range(0, exclude_low=True) = 0.15,
                 max_sigma: check.Range(0, exclude_low=True) = 1.15):
        if min_sigma > max_sigma:
            raise ArgumentError("min_sigma", min_sigma,
                                f"at most max_sigma = {max_sigma}")
        self.prob, self.limits = prob, (min_sigma, max_sigma)

    def draw(self, rng, shape):
        """Draw sigma, or None."""
        if not rng.random() < self.prob:
            return None
        return rng.uniform(*self.limits)

    def apply(self, images, drawn):
        return gaussian_blur(images, drawn)


def change_batch(images, transforms, rng, mean, std):
    """Draw and apply transforms to normalised images.

    Args:
        images (Tensor): float32 [N, 3, H, W], (picture - mean) / std.
        transforms (sequence): of this module, each with `draw` and `apply`.
        rng (np.random.Generator): the only source of randomness.
        mean, std (sequence of float): of the three channels.

    Returns: Tensor like `images`; these themselves where nothing is drawn.
    """
    drawn = [(op, op.draw(rng, images.shape)) for op in transforms]
    drawn = [pair for pair in drawn if pair[1] is not None]
    if not drawn:
        return images
    mean, std = (paddle.to_tensor(np.broadcast_to(v, [3]).copy(),
                                  dtype=images.dtype).reshape([1, 3, 1, 1])
                 for v in (mean, std))
    pictures = images * std + mean
    for op, numbers in drawn:
        pictures = op.apply(pictures, numbers)
    return (pictures - mean) / std
