# Copyright (c) 2026 The contrib_semiseg authors.
# SPDX-License-Identifier: Apache-2.0
"""How reliable a picture's prediction is: how early it stopped changing."""

import numpy as np

from contrib_semiseg.metrics.confusion import Scores, confusion


def agreement(first, second, num_classes):
    """Mean IoU of two class maps of one picture.

    Args:
        first, second (ndarray): integers [H, W] in [0, num_classes).

    Returns: float in [0, 1], the mean over the classes that occur in either.
    Source: ST++ (CVPR 2022), the stability of an image's pseudo-mask.
    """
    # No value is ignored: maps of a network hold classes alone.
    return Scores(confusion(first, second, num_classes,
                            ignore_index=-1)).miou


def reliability(maps, num_classes):
    """Agreement of a network's earlier class maps with its last one.

    Args:
        maps (sequence): integers [H, W] of K >= 2 checkpoints, the last of
            training last.

    Returns: (float, float64 [K - 1]): the mean over the earlier ones, and
        each of them.
    Raises: ValueError for fewer than two maps.
    Source: ST++ (CVPR 2022) with K = 3.
    """
    if len(maps) < 2:
        raise ValueError(f"reliability: {len(maps)} maps; allowed: 2 or more")
    each = np.array([agreement(m, maps[-1], num_classes) for m in maps[:-1]])
    return float(each.mean()), each


def most_reliable(scores):
    """Cut pictures in half by their reliability.

    Args:
        scores (sequence of float): one for each picture.

    Returns: (list, list): indices of the floor(N / 2) largest scores and of
        the others, each in falling order; equal scores keep their order.
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable").tolist()
    half = len(order) // 2
    return order[:half], order[half:]
