# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Colour operations on 8-bit pictures; each draw apart from its use.

The functions take and give uint8 [H, W, 3] RGB and compute as Pillow does:
8 bits after every operation. The image itself is not changed.
Source: the UniMatch release (strong views).
"""

from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from contrib_semiseg.cvlibs import check, manager
from contrib_semiseg.cvlibs.errors import ArgumentError


def _enhance(kind, image, factor):
    return np.array(kind(Image.fromarray(image)).enhance(factor))


def brightness(image, factor):
    """Mix with black; 0 gives black, 1 the image, more exaggerates."""
    return _enhance(ImageEnhance.Brightness, image, factor)


def contrast(image, factor):
    """Mix with the mean grey of the image, as `brightness`."""
    return _enhance(ImageEnhance.Contrast, image, factor)


def saturation(image, factor):
    """Mix with the grey image, as `brightness`."""
    return _enhance(ImageEnhance.Color, image, factor)


def sharpness(image, factor):
    """Mix with the smoothed image, as `brightness`."""
    return _enhance(ImageEnhance.Sharpness, image, factor)


def hue(image, shift):
    """Turn the hue by a share `shift` of the circle, in [-1, 1].

    The 8-bit hue grows by trunc(255 * shift), modulo 256.
    """
    angle, *rest = Image.fromarray(image).convert("HSV").split()
    turned = (np.array(angle, np.int64) + int(shift * 255)) % 256
    angle = Image.fromarray(turned.astype(np.uint8))
    return np.array(Image.merge("HSV", (angle, *rest)).convert("RGB"))


def gray(image):
    """Luminance (ITU-R 601) in all three channels."""
    return np.array(Image.fromarray(image).convert("L").convert("RGB"))


def gaussian_blur(image, sigma):
    """Blur by about `sigma` pixels: Pillow's run of box filters."""
    return np.array(Image.fromarray(image).filter(
        ImageFilter.GaussianBlur(radius=float(sigma))))


def binomial_blur(image):
    """Blur rows and columns with [1, 4, 6, 4, 1] / 16, borders reflected."""
    return cv2.GaussianBlur(image, (5, 5), 0)


JITTERS = (brightness, contrast, saturation, hue)


class Jitter(NamedTuple):
    """What `ColorJitter` drew.

    Attributes:
        order (sequence of int): positions in JITTERS, in turn.
        amounts (sequence): for each of JITTERS its factor or shift; None
            leaves it out.
    """

    order: tuple
    amounts: tuple


class ImageTransform:
    """Base of transforms of the picture alone: `draw`, then `apply`.

    `draw(rng)` returns None where the image is to stay as it is.
    """

    eight_bit = True

    def draw(self, rng):
        raise NotImplementedError

    def apply(self, image, drawn):
        raise NotImplementedError

    def __call__(self, data):
        drawn = self.draw(data["rng"])
        if drawn is not None:
            data["img"] = self.apply(data["img"], drawn)
        return data


@manager.register(manager.TRANSFORMS)
class ColorJitter(ImageTransform):
    """Change brightness, contrast, saturation and hue, in random order.

    Args:
        prob (float): how often, in [0, 1].
        brightness, contrast, saturation (float): the factor is uniform in
            [max(0, 1 - b), 1 + b]; 0 leaves the operation out.
        hue (float): the shift is uniform in [-hue, hue], as a share of the
            circle; 0 leaves it out.
    """

    @check.arguments
    def __init__(self, *, prob: check.PROBABILITY = 0.8,
                 brightness: check.Range(0) = 0.5,
                 contrast: check.Range(0) = 0.5,
                 saturation: check.Range(0) = 0.5,
                 hue: check.Range(0.0, 0.5) = 0.25):
        self.prob = prob
        self.ranges = tuple(
            (max(0.0, 1.0 - b), 1.0 + b) if b else None
            for b in (brightness, contrast, saturation)) + (
                (-hue, hue) if hue else None,)

    def draw(self, rng):
        if not rng.random() < self.prob:
            return None
        order = tuple(int(i) for i in rng.permutation(len(JITTERS)))
        return Jitter(order, tuple(limits and rng.uniform(*limits)
                                   for limits in self.ranges))

    def apply(self, image, drawn):
        for i in drawn.order:
            if drawn.amounts[i] is not None:
                image = JITTERS[i](image, drawn.amounts[i])
        return image


@manager.register(manager.TRANSFORMS)
class RandomGray(ImageTransform):
    """Replace the colours by their luminance.

    Args:
        prob (float): how often, in [0, 1].
    """

    @check.arguments
    def __init__(self, *, prob: check.PROBABILITY = 0.2):
        self.prob = prob

    def draw(self, rng):
        return True if rng.random() < self.prob else None

    def apply(self, image, drawn):
        return gray(image)


@manager.register(manager.TRANSFORMS)
class ReverseChannels:
    """Turn RGB into BGR, for networks and weights that expect it.

    `Normalize`, which stands after it, then lists blue first.
    """

    def __call__(self, data):
        data["img"] = np.ascontiguousarray(data["img"][:, :, ::-1])
        return data


@manager.register(manager.TRANSFORMS)
class RandomGaussianBlur(ImageTransform):
    """Blur by a random amount.

    Args:
        prob (float): how often, in [0, 1].
        min_sigma, max_sigma (float): ends of the uniform sigma, pixels.
    """

    @check.arguments
    def __init__(self, *, prob: check.PROBABILITY = 0.5,
                 min_sigma: check.Range(0) = 0.1,
                 max_sigma: check.Range(0) = 2.0):
        if min_sigma > max_sigma:
            raise ArgumentError("min_sigma", min_sigma,
                                f"at most max_sigma = {max_sigma}")
        self.prob, self.limits = prob, (min_sigma, max_sigma)

    def draw(self, rng):
        if not rng.random() < self.prob:
            return None
        return rng.uniform(*self.limits)

    def apply(self, image, drawn):
        return gaussian_blur(image, drawn)


@manager.register(manager.TRANSFORMS)
class RandomBinomialBlur(ImageTransform):
    """Blur a little: `binomial_blur`.

    Args:
        prob (float): how often, in [0, 1].
    Source: the CAC release.
    """

    @check.arguments
    def __init__(self, *, prob: check.PROBABILITY = 0.5):
        self.prob = prob

    def draw(self, rng):
        return True if rng.random() < self.prob else None

    def apply(self, image, drawn):
        return binomial_blur(image)
