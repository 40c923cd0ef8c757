# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""Masks of irregular blotches: noise, smoothed and cut at a level.

Source: French, Oliver, Salimans: Milking CowMask for semi-supervised image
classification (arXiv 2003.12022); the range of sigma is the CTT release's.
"""

import statistics

import numpy as np

_REACH = 4.0  # deviations after which the Gaussian is cut off


def draw_cow(rng, height, width, *, low=8.0, high=32.0):
    """Draw what a mask is made of.

    Args:
        rng (np.random.Generator): the only source of randomness.
        height, width (int): of the mask, pixels.
        low, high (float): ends of sigma, whose logarithm is uniform.

    Returns: (noise, sigma): standard normal float64 [height, width], pixels.
    """
    sigma = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return rng.standard_normal((height, width)), sigma


def smoothing(size, sigma):
    """The Gaussian filter of an axis as a matrix: float64 [size, size].

    What lies outside is the picture mirrored, its edge repeated.
    """
    radius = int(_REACH * sigma + 0.5)
    steps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (steps / sigma)**2)
    places = (np.arange(size)[:, None] + steps) % (2 * size)
    places = np.minimum(places, 2 * size - 1 - places)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.arange(size)[:, None], places),
              weights / weights.sum())
    return matrix


def cow_mask(noise, sigma, share=0.5):
    """Where the smoothed noise exceeds a level.

    Args:
        noise (ndarray): float64 [H, W].
        sigma (float): of the Gaussian, pixels.
        share (float): of the mask that is 0, in (0, 1), as far as the
            smoothed noise is normally distributed.

    Returns: uint8 [H, W] of 0 and 1.
    """
    smooth = smoothing(noise.shape[0], sigma) @ noise @ smoothing(
        noise.shape[1], sigma).T
    level = statistics.NormalDist(smooth.mean(), smooth.std()).inv_cdf(share)
    return (smooth > level).astype(np.uint8)
